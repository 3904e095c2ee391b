#include "libshared/json/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "libshared/json/json_string.hpp"
#include "libshared/text/format.hpp"

namespace mdpipe {
namespace {

template <typename Number>
void append_number(Number number, std::string& out) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

void JsonWriter::separate() {
  if (has_value_before_) out_ += ',';
  has_value_before_ = true;
}

JsonWriter& JsonWriter::begin(char bracket) {
  separate();
  out_ += bracket;
  has_value_before_ = false;
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  out_ += bracket;
  has_value_before_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  out_ += ':';
  has_value_before_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  append_json_string(text, out_);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return raw("null");
  separate();
  append_format(out_, "{}", number);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::signed_value(long long number) {
  separate();
  append_number(number, out_);
  return *this;
}

JsonWriter& JsonWriter::unsigned_value(unsigned long long number) {
  separate();
  append_number(number, out_);
  return *this;
}

}  // namespace mdpipe
