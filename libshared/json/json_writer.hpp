#pragma once
// Writes JSON to the end of a string: quotes, escapes and commas. It allocates nothing but what the string
// needs, and it does not check that objects and arrays are closed: the caller's code shows that.
#include <string>
#include <string_view>
#include <type_traits>

namespace mdpipe {

class JsonWriter {
 public:
  // Borrows `out`.
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }

  // A value, an object or an array comes next.
  JsonWriter& key(std::string_view name);

  // Bytes that are not UTF-8 pass as they are (valid_utf8 replaces them).
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);  // the shortest text that means this number; null if it is not finite
  template <typename Number, typename = std::enable_if_t<std::is_integral_v<Number>>>
  JsonWriter& value(Number number) {
    if constexpr (std::is_same_v<Number, bool>) {
      return raw(number ? "true" : "false");
    } else if constexpr (std::is_signed_v<Number>) {
      return signed_value(number);
    } else {
      return unsigned_value(number);
    }
  }
  // Text that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <typename Value>
  JsonWriter& member(std::string_view name, const Value& content) {
    return key(name).value(content);
  }
  JsonWriter& raw_member(std::string_view name, std::string_view json) { return key(name).raw(json); }

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  JsonWriter& signed_value(long long number);
  JsonWriter& unsigned_value(unsigned long long number);
  void separate();  // a comma if something of the same object or array is before

  std::string& out_;
  bool has_value_before_ = false;
};

}  // namespace mdpipe
