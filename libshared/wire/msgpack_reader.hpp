#pragma once
// Reads msgpack value by value from bytes that may be hostile, and builds no tree: for messages of many small
// values, for which msgpack-c's tree takes several times the memory of the message. Texts are views into the
// bytes. The format: https://github.com/msgpack/msgpack/blob/master/spec.md
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mdpipe::wire {

class MsgpackReader {
 public:
  // Thrown by every read if the bytes end too early or have a value of another type.
  struct Malformed {
    const char* why;
  };

  // Int: negative. Whole numbers from 0 are Uint, however they were written.
  enum class Kind { Nil, Bool, Uint, Int, Float, Text, Bytes, Array, Map, Extension, Invalid };

  // How deep arrays and maps may be nested.
  static constexpr int kDepthMax = 8;

  explicit MsgpackReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] const char* position() const { return at_; }
  // The kind of the next value; Malformed if there is none.
  [[nodiscard]] Kind kind() const {
    if (at_ != end_ && is_short_text(static_cast<unsigned char>(*at_))) return Kind::Text;
    return find_kind();
  }

  // The number of elements, or of pairs. Never more than the bytes left, so that it is safe to allocate by
  // it.
  std::uint32_t read_array();
  std::uint32_t read_map();
  std::uint64_t read_uint();
  std::int64_t read_int();
  double read_double();  // accepts an integer too
  bool read_bool();
  void read_nil();
  std::string_view read_text() {
    const unsigned first = take_byte();
    if (is_short_text(first)) return take(first & 0x1fU);
    return take_long_text(first);
  }
  std::string_view read_bytes();
  // Any value, with arrays and maps at most `depth` deep.
  void skip(int depth = kDepthMax);

 private:
  // Less than 32 bytes, like nearly all texts.
  static bool is_short_text(unsigned first) { return (first & 0xe0U) == 0xa0U; }
  [[nodiscard]] Kind find_kind() const;
  std::string_view take(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) throw_cut_short();
    const std::string_view taken(at_, bytes);
    at_ += bytes;
    return taken;
  }
  unsigned take_byte() {
    if (at_ == end_) throw_cut_short();
    return static_cast<unsigned char>(*at_++);
  }
  [[noreturn]] static void throw_cut_short();
  std::string_view take_long_text(unsigned first);
  std::uint64_t take_big_endian(std::size_t bytes);
  void skip_extension();
  [[nodiscard]] std::uint32_t checked(std::uint64_t count) const;

  const char* at_;
  const char* end_;
};

}  // namespace mdpipe::wire
