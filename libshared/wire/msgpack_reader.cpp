#include "libshared/wire/msgpack_reader.hpp"

#include <array>
#include <cstring>
#include <limits>

namespace mdpipe::wire {
namespace {

using Kind = MsgpackReader::Kind;

// By a value's first byte. Kind::Int here means numbers that may be negative: their other bytes decide.
constexpr std::array<Kind, 256> kKinds = [] {
  std::array<Kind, 256> kinds{};
  const auto set = [&kinds](std::size_t from, std::size_t to, Kind kind) {
    for (std::size_t first = from; first <= to; ++first) kinds[first] = kind;
  };
  set(0x00, 0x7f, Kind::Uint);
  set(0x80, 0x8f, Kind::Map);
  set(0x90, 0x9f, Kind::Array);
  set(0xa0, 0xbf, Kind::Text);
  set(0xc0, 0xc0, Kind::Nil);
  set(0xc1, 0xc1, Kind::Invalid);
  set(0xc2, 0xc3, Kind::Bool);
  set(0xc4, 0xc6, Kind::Bytes);
  set(0xc7, 0xc9, Kind::Extension);
  set(0xca, 0xcb, Kind::Float);
  set(0xcc, 0xcf, Kind::Uint);
  set(0xd0, 0xd3, Kind::Int);
  set(0xd4, 0xd8, Kind::Extension);
  set(0xd9, 0xdb, Kind::Text);
  set(0xdc, 0xdd, Kind::Array);
  set(0xde, 0xdf, Kind::Map);
  set(0xe0, 0xff, Kind::Int);
  return kinds;
}();

}  // namespace

void MsgpackReader::throw_cut_short() { throw Malformed{"it is cut short"}; }

Kind MsgpackReader::find_kind() const {
  if (at_ == end_) throw_cut_short();
  const auto first = static_cast<unsigned char>(*at_);
  const Kind kind = kKinds[first];
  const bool is_signed = first >= 0xd0U && first <= 0xd3U;
  if (is_signed && at_ + 1 != end_ && static_cast<signed char>(at_[1]) >= 0) return Kind::Uint;
  return kind;
}

std::uint64_t MsgpackReader::take_big_endian(std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char c : take(bytes)) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

std::uint32_t MsgpackReader::checked(std::uint64_t count) const {
  if (count > static_cast<std::size_t>(end_ - at_))
    throw Malformed{"an array or map claims more elements than there are bytes"};
  return static_cast<std::uint32_t>(count);
}

std::uint32_t MsgpackReader::read_array() {
  const unsigned first = take_byte();
  if ((first & 0xf0U) == 0x90U) return checked(first & 0x0fU);
  if (first == 0xdcU) return checked(take_big_endian(2));
  if (first == 0xddU) return checked(take_big_endian(4));
  throw Malformed{"an array is missing"};
}

std::uint32_t MsgpackReader::read_map() {
  const unsigned first = take_byte();
  if ((first & 0xf0U) == 0x80U) return checked(first & 0x0fU);
  if (first == 0xdeU) return checked(take_big_endian(2));
  if (first == 0xdfU) return checked(take_big_endian(4));
  throw Malformed{"not a map"};
}

std::uint64_t MsgpackReader::read_uint() {
  if (at_ != end_ && static_cast<unsigned char>(*at_) == 0xcfU) {
    ++at_;
    return take_big_endian(8);
  }
  const std::int64_t value = read_int();
  if (value < 0) throw Malformed{"a number is below zero"};
  return static_cast<std::uint64_t>(value);
}

std::int64_t MsgpackReader::read_int() {
  const unsigned first = take_byte();
  if (first < 0x80U) return first;
  if (first >= 0xe0U) return static_cast<std::int8_t>(first);
  switch (first) {
    case 0xcc:
      return static_cast<std::int64_t>(take_big_endian(1));
    case 0xcd:
      return static_cast<std::int64_t>(take_big_endian(2));
    case 0xce:
      return static_cast<std::int64_t>(take_big_endian(4));
    case 0xcf: {
      const std::uint64_t value = take_big_endian(8);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw Malformed{"a number is too large"};
      return static_cast<std::int64_t>(value);
    }
    case 0xd0:
      return static_cast<std::int8_t>(take_big_endian(1));
    case 0xd1:
      return static_cast<std::int16_t>(take_big_endian(2));
    case 0xd2:
      return static_cast<std::int32_t>(take_big_endian(4));
    case 0xd3:
      return static_cast<std::int64_t>(take_big_endian(8));
    default:
      throw Malformed{"a whole number is missing"};
  }
}

double MsgpackReader::read_double() {
  const unsigned first = at_ == end_ ? 0U : static_cast<unsigned char>(*at_);
  if (first == 0xcfU) return static_cast<double>(read_uint());
  if (first != 0xcaU && first != 0xcbU) return static_cast<double>(read_int());
  take(1);
  if (first == 0xcbU) {
    const std::uint64_t bits = take_big_endian(8);
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  const auto bits = static_cast<std::uint32_t>(take_big_endian(4));
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return static_cast<double>(value);
}

bool MsgpackReader::read_bool() {
  const unsigned first = take_byte();
  if (first != 0xc2U && first != 0xc3U) throw Malformed{"a truth value is missing"};
  return first == 0xc3U;
}

void MsgpackReader::read_nil() {
  if (take_byte() != 0xc0U) throw Malformed{"a nil is missing"};
}

std::string_view MsgpackReader::take_long_text(unsigned first) {
  if (first < 0xd9U || first > 0xdbU) throw Malformed{"a text is missing"};
  return take(take_big_endian(std::size_t{1} << (first - 0xd9U)));
}

std::string_view MsgpackReader::read_bytes() {
  const unsigned first = take_byte();
  if (first < 0xc4U || first > 0xc6U) throw Malformed{"bytes are missing"};
  return take(take_big_endian(std::size_t{1} << (first - 0xc4U)));
}

void MsgpackReader::skip_extension() {
  const unsigned first = take_byte();
  const bool is_fixed = first >= 0xd4U;
  const std::uint64_t bytes =
      is_fixed ? std::uint64_t{1} << (first - 0xd4U) : take_big_endian(std::size_t{1} << (first - 0xc7U));
  take(1);  // its type
  take(bytes);
}

void MsgpackReader::skip(int depth) {
  if (depth == 0) throw Malformed{"it is nested too deep"};
  switch (kind()) {
    case Kind::Nil:
      return read_nil();
    case Kind::Bool:
      read_bool();
      return;
    case Kind::Uint:
    case Kind::Int:
    case Kind::Float:
      read_double();
      return;
    case Kind::Text:
      read_text();
      return;
    case Kind::Bytes:
      read_bytes();
      return;
    case Kind::Array:
      for (std::uint32_t left = read_array(); left > 0; --left) skip(depth - 1);
      return;
    case Kind::Map:
      for (std::uint32_t left = read_map(); left > 0; --left) {
        skip(depth - 1);
        skip(depth - 1);
      }
      return;
    case Kind::Extension:
      return skip_extension();
    case Kind::Invalid:
      throw Malformed{"a byte that begins no value"};
  }
}

}  // namespace mdpipe::wire
