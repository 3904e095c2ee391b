#pragma once
// Writes messages in the encoding of Protocol Buffers, which is five functions long where the fields are
// known: https://protobuf.dev/programming-guides/encoding/. Knows no schema; field numbers are the caller's
// to get right. Pure.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace mdpipe::agent {

class ProtobufWriter {
 public:
  void varint(unsigned field, std::uint64_t value) {
    tag(field, kVarint);
    raw_varint(value);
  }
  // A sint32: small numbers of either sign are short.
  void signed_varint(unsigned field, std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    varint(field, (bits << 1U) ^ (value < 0 ? ~std::uint32_t{0} : 0U));
  }
  void fixed64(unsigned field, std::uint64_t value) {
    tag(field, kFixed64);
    raw_fixed64(value);
  }
  void number(unsigned field, double value) {
    tag(field, kFixed64);
    raw_number(value);
  }
  void text(unsigned field, std::string_view value) {
    tag(field, kBytes);
    raw_varint(value.size());
    bytes_.append(value);
  }
  // A message inside of this one, or a packed list of raw values: `fill` writes what is in it.
  template <typename Fill>
  void message(unsigned field, Fill&& fill) {
    tag(field, kBytes);
    const auto begin = static_cast<std::ptrdiff_t>(bytes_.size());
    fill();
    const auto end = static_cast<std::ptrdiff_t>(bytes_.size());
    raw_varint(static_cast<std::uint64_t>(end - begin));  // known only now, and due before
    std::rotate(bytes_.begin() + begin, bytes_.begin() + end, bytes_.end());
  }

  void raw_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>((value & 0x7fU) | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  void raw_fixed64(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes_ += static_cast<char>((value >> shift) & 0xffU);
  }
  void raw_number(double value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    raw_fixed64(bits);
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  // Takes back everything behind `size`.
  void cut(std::size_t size) { bytes_.resize(size); }
  [[nodiscard]] std::string release() { return std::move(bytes_); }

 private:
  enum WireType : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2 };

  void tag(unsigned field, WireType type) { raw_varint(std::uint64_t{field} << 3U | type); }

  std::string bytes_;
};

}  // namespace mdpipe::agent
