#include "libshared/wire/msgpack_reader.hpp"

#include <cstring>
#include <limits>

namespace mdpipe::wire {

// The first bytes of values, from https://github.com/msgpack/msgpack/blob/master/spec.md

std::string_view MsgpackReader::take(std::size_t bytes) {
  if (rest_.size() < bytes) throw Malformed{"it is cut short"};
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

std::uint64_t MsgpackReader::take_big_endian(std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char c : take(bytes)) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

std::uint32_t MsgpackReader::checked(std::uint64_t count) const {
  if (count > rest_.size()) throw Malformed{"an array or map claims more elements than there are bytes"};
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
  const std::int64_t small = rest_.empty() ? 0 : static_cast<unsigned char>(rest_.front());
  if (small == 0xcf) {
    take(1);
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
  const unsigned first = rest_.empty() ? 0U : static_cast<unsigned char>(rest_.front());
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

std::string_view MsgpackReader::read_text() {
  const unsigned first = take_byte();
  if ((first & 0xe0U) == 0xa0U) return take(first & 0x1fU);
  if (first == 0xd9U) return take(take_big_endian(1));
  if (first == 0xdaU) return take(take_big_endian(2));
  if (first == 0xdbU) return take(take_big_endian(4));
  throw Malformed{"a text is missing"};
}

void MsgpackReader::skip(int depth) {
  if (depth == 0) throw Malformed{"it is nested too deep"};
  const unsigned first = rest_.empty() ? 0U : static_cast<unsigned char>(rest_.front());
  if ((first & 0xf0U) == 0x90U || first == 0xdcU || first == 0xddU) {
    for (std::uint32_t left = read_array(); left > 0; --left) skip(depth - 1);
  } else if ((first & 0xf0U) == 0x80U || first == 0xdeU || first == 0xdfU) {
    for (std::uint32_t left = read_map(); left > 0; --left) {
      skip(depth - 1);
      skip(depth - 1);
    }
  } else if ((first & 0xe0U) == 0xa0U || (first >= 0xd9U && first <= 0xdbU)) {
    read_text();
  } else if (first == 0xc0U || first == 0xc2U || first == 0xc3U) {  // nil, false, true
    take(1);
  } else if (first >= 0xc4U && first <= 0xc6U) {  // bytes
    take(1);
    take(take_big_endian(std::size_t{1} << (first - 0xc4U)));
  } else if (first >= 0xc7U && first <= 0xc9U) {  // an extension, with its type
    take(1);
    const std::uint64_t bytes = take_big_endian(std::size_t{1} << (first - 0xc7U));
    take(1);
    take(bytes);
  } else if (first >= 0xd4U && first <= 0xd8U) {  // an extension of fixed size
    take(2 + (std::size_t{1} << (first - 0xd4U)));
  } else {
    read_double();
  }
}

}  // namespace mdpipe::wire
