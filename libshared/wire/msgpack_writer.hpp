#pragma once
// Writes msgpack value by value, each in its shortest form, as msgpack-c's packer does, but faster, because
// events are many: a text is one copy here and two appends there. The format:
// https://github.com/msgpack/msgpack/blob/master/spec.md
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::wire {

class MsgpackWriter {
 public:
  explicit MsgpackWriter(ByteBuffer& out) : out_(out) {}

  void map(std::uint32_t pairs) { put_count(pairs, 0x80, 0xde); }
  void array(std::uint32_t elements) { put_count(elements, 0x90, 0xdc); }

  // Texts of 4 GiB and more cannot be written.
  void text(std::string_view value) {
    char* at = out_.room(kHeadBytesMax + value.size());
    at = value.size() < 32 ? put_byte(0xa0U | value.size(), at) : put_long_head(value.size(), at);
    out_.end_at(std::copy(value.begin(), value.end(), at));
  }

  void number(std::uint64_t value) {
    char* at = out_.room(kHeadBytesMax);
    if (value < 0x80) {
      at = put_byte(value, at);
    } else if (value <= 0xff) {
      at = put_big_endian<1>(value, put_byte(0xcc, at));
    } else if (value <= 0xffff) {
      at = put_big_endian<2>(value, put_byte(0xcd, at));
    } else if (value <= 0xffff'ffff) {
      at = put_big_endian<4>(value, put_byte(0xce, at));
    } else {
      at = put_big_endian<8>(value, put_byte(0xcf, at));
    }
    out_.end_at(at);
  }

  void number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0) return number(bits);
    char* at = out_.room(kHeadBytesMax);
    if (value >= -0x20) {
      at = put_byte(bits, at);
    } else if (value >= -0x80) {
      at = put_big_endian<1>(bits, put_byte(0xd0, at));
    } else if (value >= -0x8000) {
      at = put_big_endian<2>(bits, put_byte(0xd1, at));
    } else if (value >= -0x8000'0000LL) {
      at = put_big_endian<4>(bits, put_byte(0xd2, at));
    } else {
      at = put_big_endian<8>(bits, put_byte(0xd3, at));
    }
    out_.end_at(at);
  }

 private:
  static constexpr std::size_t kHeadBytesMax = 9;

  static char* put_byte(std::uint64_t byte, char* at) {
    *at = static_cast<char>(byte);
    return at + 1;
  }

  template <std::size_t Bytes>
  static char* put_big_endian(std::uint64_t value, char* at) {
    for (std::size_t i = 0; i < Bytes; ++i) at[i] = static_cast<char>(value >> (8 * (Bytes - 1 - i)));
    return at + Bytes;
  }

  static char* put_long_head(std::size_t bytes, char* at) {
    if (bytes <= 0xff) return put_big_endian<1>(bytes, put_byte(0xd9, at));
    if (bytes <= 0xffff) return put_big_endian<2>(bytes, put_byte(0xda, at));
    return put_big_endian<4>(bytes, put_byte(0xdb, at));
  }

  // `small` includes a count below 16. `large` is followed by a count of two bytes, the byte after `large` by
  // one of four.
  void put_count(std::uint32_t count, unsigned small, unsigned large) {
    char* at = out_.room(kHeadBytesMax);
    if (count < 16) {
      at = put_byte(small | count, at);
    } else if (count <= 0xffff) {
      at = put_big_endian<2>(count, put_byte(large, at));
    } else {
      at = put_big_endian<4>(count, put_byte(large + 1, at));
    }
    out_.end_at(at);
  }

  ByteBuffer& out_;
};

}  // namespace mdpipe::wire
