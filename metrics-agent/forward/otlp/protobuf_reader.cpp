#include "metrics-agent/forward/otlp/protobuf_reader.hpp"

namespace mdpipe::agent {

std::optional<ProtobufField> ProtobufReader::next() {
  if (rest_.empty() || broken_) return std::nullopt;
  ProtobufField field;
  const auto tag = raw_varint();
  broken_ = !tag || *tag >> 3U == 0 || *tag >> 3U > ~std::uint32_t{0};
  if (broken_) return std::nullopt;
  field.number = static_cast<unsigned>(*tag >> 3U);
  broken_ = !read_value(static_cast<unsigned>(*tag & 7U), field);
  if (broken_) return std::nullopt;
  return field;
}

bool ProtobufReader::read_value(unsigned wire_type, ProtobufField& field) {
  std::optional<std::uint64_t> value;
  if (wire_type == 0 || wire_type == 2) value = raw_varint();
  if (wire_type == 1) value = fixed(8);
  if (wire_type == 5) value = fixed(4);
  if (!value) return false;  // also the groups of old, which nobody sends
  if (wire_type != 2) {
    field.value = *value;
    return true;
  }
  if (*value > rest_.size()) return false;
  field.bytes = rest_.substr(0, *value);
  rest_.remove_prefix(*value);
  return true;
}

std::optional<std::uint64_t> ProtobufReader::raw_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ProtobufReader::fixed(std::size_t bytes) {
  if (rest_.size() < bytes) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
  rest_.remove_prefix(bytes);
  return value;
}

}  // namespace mdpipe::agent
