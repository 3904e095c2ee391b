#pragma once
// A growing byte buffer that keeps its memory when it is cleared. msgpack-c writes into it. Code that knows
// how much comes next writes directly to its end: room(), then end_at().
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace mdpipe::wire {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ~ByteBuffer() = default;
  ByteBuffer(const ByteBuffer& other) { append(other.view()); }
  ByteBuffer& operator=(const ByteBuffer& other) { return *this = ByteBuffer(other); }
  ByteBuffer(ByteBuffer&& other) noexcept { swap(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    ByteBuffer moved(std::move(other));
    swap(moved);
    return *this;
  }

  // msgpack-c's stream interface
  void write(const char* data, std::size_t bytes) { end_at(std::copy_n(data, bytes, room(bytes))); }
  void append(std::string_view text) { write(text.data(), text.size()); }
  void push_back(char c) {
    *room(1) = c;
    ++size_;
  }
  void clear() { size_ = 0; }
  void reserve(std::size_t bytes) {
    if (capacity_ < bytes) move_to(bytes);
  }

  // The position for the next bytes, of which `bytes` may be written; valid until anything else is done with
  // the buffer.
  char* room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) move_to(std::max(size_ + bytes, 2 * capacity_));
    return memory_.get() + size_;
  }
  // The bytes have been written up to here.
  void end_at(const char* end) { size_ = static_cast<std::size_t>(end - memory_.get()); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const char* data() const { return memory_.get(); }
  [[nodiscard]] char* data() { return memory_.get(); }
  [[nodiscard]] std::string_view view() const { return {memory_.get(), size_}; }

 private:
  void swap(ByteBuffer& other) noexcept {
    memory_.swap(other.memory_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  void move_to(std::size_t capacity) {
    // Not filled with zeros, so that pages that are never written take no memory.
    std::unique_ptr<char[]> memory(new char[capacity]);  // NOLINT(modernize-make-unique)
    std::copy_n(memory_.get(), size_, memory.get());
    memory_ = std::move(memory);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> memory_;  // NOLINT(modernize-avoid-c-arrays)
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace mdpipe::wire
