#pragma once
// A growing byte buffer that msgpack-c writes into and that keeps its memory when cleared.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mdpipe::wire {

class ByteBuffer {
 public:
  void write(const char* data, std::size_t bytes) {
    bytes_.append(data, bytes);
  }  // msgpack-c's stream interface
  void append(std::string_view text) { bytes_.append(text); }
  void push_back(char c) { bytes_.push_back(c); }
  void clear() { bytes_.clear(); }
  std::string release() { return std::exchange(bytes_, {}); }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] const char* data() const { return bytes_.data(); }
  [[nodiscard]] char* data() { return bytes_.data(); }
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace mdpipe::wire
