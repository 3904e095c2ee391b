#pragma once
// Writes messages in the encoding of Protocol Buffers, which is five functions long where the fields are
// known: https://protobuf.dev/programming-guides/encoding/. Knows no schema; field numbers are the caller's
// to get right. Pure.
#include <array>
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
  // A message inside of this one, or a packed list of raw values: `fill` writes what is in it. Its length is
  // due before it and known only afterwards: most are below 128 bytes, so one byte is kept free for it.
  template <typename Fill>
  void message(unsigned field, Fill&& fill) {
    tag(field, kBytes);
    const std::size_t length_at = bytes_.size();
    bytes_ += '\0';
    fill();
    std::uint64_t length = bytes_.size() - length_at - 1;
    std::array<char, 10> varint{};  // of 64 bits at most
    std::size_t size = 0;
    for (; length >= 0x80; length >>= 7U) varint[size++] = static_cast<char>((length & 0x7fU) | 0x80U);
    varint[size++] = static_cast<char>(length);
    bytes_.replace(length_at, 1, varint.data(), size);
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
