#pragma once
// A growing byte buffer that keeps its memory when cleared. msgpack-c writes into it, and whoever knows how
// much comes next writes where it ends: room(), then end_at().
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mdpipe::wire {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ~ByteBuffer() = default;
  ByteBuffer(const ByteBuffer&) = default;
  ByteBuffer& operator=(const ByteBuffer&) = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // msgpack-c's stream interface
  void write(const char* data, std::size_t bytes) { end_at(std::copy_n(data, bytes, room(bytes))); }
  void append(std::string_view text) { write(text.data(), text.size()); }
  void push_back(char c) { *room(1) = c, ++size_; }
  void clear() { size_ = 0; }
  void reserve(std::size_t bytes) {
    if (memory_.size() < bytes) memory_.resize(bytes);
  }

  // Where the next bytes belong, of which `bytes` may be written; valid until anything else is done with the
  // buffer.
  char* room(std::size_t bytes) {
    if (memory_.size() - size_ < bytes) grow(bytes);
    return memory_.data() + size_;
  }
  // They have been written up to here.
  void end_at(const char* end) { size_ = static_cast<std::size_t>(end - memory_.data()); }

  std::string release() {
    memory_.resize(std::exchange(size_, 0));
    return std::exchange(memory_, {});
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const char* data() const { return memory_.data(); }
  [[nodiscard]] char* data() { return memory_.data(); }
  [[nodiscard]] std::string_view view() const { return {memory_.data(), size_}; }

 private:
  void grow(std::size_t bytes) { memory_.resize(std::max(size_ + bytes, 2 * memory_.size())); }

  std::string memory_;  // as large as it ever had to be
  std::size_t size_ = 0;
};

}  // namespace mdpipe::wire
