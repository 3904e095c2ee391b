#pragma once
// Reads one message in the encoding of Protocol Buffers, field after field, without a schema; made for the
// small answers of a receiver, which may be anything. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mdpipe::agent {

struct ProtobufField {
  unsigned number = 0;
  std::uint64_t value = 0;  // of numbers, as bits
  std::string_view bytes;   // of texts, messages and packed lists; borrowed
};

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  // The next field; nothing at the end, or where the rest cannot be read.
  std::optional<ProtobufField> next();
  // Whether everything was read and made sense; asked at the end.
  [[nodiscard]] bool is_whole() const { return rest_.empty() && !broken_; }

  // For packed lists of numbers without tags.
  std::optional<std::uint64_t> raw_varint();
  std::optional<std::uint64_t> raw_fixed64() { return fixed(8); }

 private:
  std::optional<std::uint64_t> fixed(std::size_t bytes);
  bool read_value(unsigned wire_type, ProtobufField& field);

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace mdpipe::agent
