#pragma once
// Reads msgpack value by value from bytes that may be hostile, and materialises nothing: for messages of many
// small values, of which msgpack-c's tree takes several times the memory of the message. What it reads is
// borrowed from the bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mdpipe::wire {

class MsgpackReader {
 public:
  // Thrown by every read: the bytes end too early or hold a value of another type.
  struct Malformed {
    const char* why;
  };

  explicit MsgpackReader(std::string_view bytes) : rest_(bytes) {}

  // The number of elements, or of pairs. No more than bytes are left, so that it may be used to take memory.
  std::uint32_t read_array();
  std::uint32_t read_map();
  std::uint64_t read_uint();
  std::int64_t read_int();
  double read_double();  // an integer is one too
  bool read_bool();
  std::string_view read_text();
  // Any value, arrays and maps up to eight deep.
  void skip() { skip(kDepthMax); }

 private:
  static constexpr int kDepthMax = 8;

  std::string_view take(std::size_t bytes);
  unsigned char take_byte() { return static_cast<unsigned char>(take(1).front()); }
  std::uint64_t take_big_endian(std::size_t bytes);
  std::uint32_t checked(std::uint64_t count) const;
  void skip(int depth);

  std::string_view rest_;
};

}  // namespace mdpipe::wire
