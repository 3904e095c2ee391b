#include "libshared/wire/json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "libshared/json/json_string.hpp"
#include "libshared/text/format.hpp"

namespace mdpipe::wire {
namespace {

using Kind = MsgpackReader::Kind;

void append(const fmt::format_int& number, std::string& out) { out.append(number.data(), number.size()); }

void append(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out.append("null");
    return;
  }
  append_format(out, "{}", value);
}

void append_array(MsgpackReader& in, int depth, std::string& out) {
  const std::uint32_t count = in.read_array();
  out.push_back('[');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    append_json(in, depth, out);
  }
  out.push_back(']');
}

void append_map(MsgpackReader& in, int depth, std::string& out) {
  const std::uint32_t count = in.read_map();
  out.push_back('{');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(in.kind() == Kind::Bytes ? in.read_bytes() : in.read_text(), out);
    out.push_back(':');
    append_json(in, depth, out);
  }
  out.push_back('}');
}

}  // namespace

void append_json(MsgpackReader& in, int depth, std::string& out) {
  const Kind kind = in.kind();
  if (depth == 0 && (kind == Kind::Array || kind == Kind::Map))
    throw MsgpackReader::Malformed{"it is nested too deep"};
  switch (kind) {
    case Kind::Text:
      return append_json_string(in.read_text(), out);
    case Kind::Bytes:
      return append_json_string(in.read_bytes(), out);
    case Kind::Array:
      return append_array(in, depth - 1, out);
    case Kind::Map:
      return append_map(in, depth - 1, out);
    case Kind::Uint:
      return append(fmt::format_int(in.read_uint()), out);
    case Kind::Int:
      return append(fmt::format_int(in.read_int()), out);
    case Kind::Float:
      return append(in.read_double(), out);
    case Kind::Bool:
      out.append(in.read_bool() ? "true" : "false");
      return;
    case Kind::Nil:
    case Kind::Extension:
    case Kind::Invalid:
      in.skip();
      out.append("null");
      return;
  }
}

bool append_batch_as_ndjson(std::string_view payload, std::string& out) {
  try {
    MsgpackReader in(payload);
    for (std::uint32_t left = in.read_array(); left > 0; --left) {
      append_json(in, MsgpackReader::kDepthMax - 1, out);
      out.push_back('\n');
    }
    return in.at_end();
  } catch (const MsgpackReader::Malformed&) {
    return false;
  }
}

}  // namespace mdpipe::wire
