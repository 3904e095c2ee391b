// Goal: reading market data takes no memory from the heap once the buffers have grown. Method: operator new
// is counted in this program while frames that were seen before are read again.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/unit/venues/frames.hpp"

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

namespace mdpipe::venues {
namespace {

class CountingSink final : public EventSink {
 public:
  void on_event(const Event&) override { ++events; }
  std::size_t events = 0;
};

TEST(Adapters, read_market_data_without_allocating) {
  for (const std::string& exchange : exchange_names()) {
    const auto adapter = make_adapter(exchange);
    for (const auto& [name, frame] : frame_files(exchange)) {
      CountingSink sink;
      if (adapter->on_frame(frame, kReceived, sink).kind != FrameKind::Events) continue;
      const std::size_t before = allocations;
      adapter->on_frame(frame, kReceived, sink);
      EXPECT_EQ(allocations - before, 0U) << exchange << " " << name;
    }
  }
}

}  // namespace
}  // namespace mdpipe::venues
