#pragma once
// The msgpack-c visitor behind json.hpp: writes each value it is shown to as JSON. Others delegate nested
// values to it. JSON knows neither keys that are not text, which end the visit, nor NaN and infinity, which
// become null.
#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <msgpack.hpp>
#include <string>

#include "libshared/json/json_string.hpp"

namespace mdpipe::wire {

class JsonVisitor : public msgpack::null_visitor {
 public:
  explicit JsonVisitor(std::string& out) : out_(out) {}

  bool visit_nil() { return put("null"); }
  bool visit_boolean(bool value) { return put(value ? "true" : "false"); }
  bool visit_positive_integer(std::uint64_t value) { return put(fmt::format_int(value)); }
  bool visit_negative_integer(std::int64_t value) { return put(fmt::format_int(value)); }
  bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }
  bool visit_float64(double value) {
    if (!std::isfinite(value)) return put("null");
    if (in_key_) return false;
    fmt::format_to(std::back_inserter(out_), "{}", value);
    return true;
  }
  bool visit_str(const char* data, std::uint32_t bytes) {
    append_json_string({data, bytes}, out_);
    return true;
  }
  bool visit_bin(const char* data, std::uint32_t bytes) { return visit_str(data, bytes); }
  bool visit_ext(const char*, std::uint32_t) { return put("null"); }
  bool start_array(std::uint32_t) { return !in_key_ && open('['); }
  bool start_array_item() { return separate(); }
  bool end_array() { return close(']'); }
  bool start_map(std::uint32_t) { return !in_key_ && open('{'); }
  bool start_map_key() {
    separate();
    in_key_ = true;
    return true;
  }
  bool end_map_key() {
    in_key_ = false;
    return put(":");
  }
  bool end_map() { return close('}'); }
  void parse_error(std::size_t, std::size_t) {}
  void insufficient_bytes(std::size_t, std::size_t) {}

 private:
  bool put(std::string_view text) {
    if (in_key_) return false;
    out_.append(text);
    return true;
  }
  bool put(const fmt::format_int& number) { return put(std::string_view(number.data(), number.size())); }
  bool open(char bracket) {
    out_.push_back(bracket);
    return true;
  }
  bool close(char bracket) {
    out_.push_back(bracket);
    return true;
  }
  // A comma before every element but the first: an opening bracket is then the last character written.
  bool separate() {
    if (out_.back() != '[' && out_.back() != '{') out_.push_back(',');
    return true;
  }

  std::string& out_;
  bool in_key_ = false;
};

}  // namespace mdpipe::wire
