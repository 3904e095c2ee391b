#pragma once
// Replaces operator new of the program that includes it, once and in one file, so that a test can say how
// often memory was taken. Such a program stands alone.
#include <cstdlib>
#include <new>

namespace {

std::size_t allocations = 0;

void* count_and_allocate(std::size_t bytes) {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void* count_and_allocate_or_throw(std::size_t bytes) {
  if (void* memory = count_and_allocate(bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// All forms that the library or a sanitizer could otherwise provide in part: what one of them takes another
// one frees.
void* operator new(std::size_t bytes) { return count_and_allocate_or_throw(bytes); }
void* operator new[](std::size_t bytes) { return count_and_allocate_or_throw(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return count_and_allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return count_and_allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
