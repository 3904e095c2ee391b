#include "libshared/wire/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "libshared/json/json_string.hpp"
#include "libshared/text/format.hpp"

namespace mdpipe::wire {
namespace {

using Kind = MsgpackReader::Kind;

void append(const fmt::format_int& number, ByteBuffer& out) { out.write(number.data(), number.size()); }

void append(double value, ByteBuffer& out) {
  if (!std::isfinite(value)) return out.append("null");
  std::string digits;
  append_format(digits, "{}", value);
  out.append(digits);
}

void append(std::string_view text, ByteBuffer& out) {
  if (!is_plain_json(text)) return out.append(json_string(text));
  char* at = out.room(text.size() + 2);
  *at++ = '"';
  at = std::copy(text.begin(), text.end(), at);
  *at++ = '"';
  out.end_at(at);
}

void append_array(MsgpackReader& in, int depth, ByteBuffer& out) {
  const std::uint32_t count = in.read_array();
  out.push_back('[');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    if (in.kind() == Kind::Text) {  // as in a book's levels, of which there are many
      append(in.read_text(), out);
    } else {
      append_json(in, depth, out);
    }
  }
  out.push_back(']');
}

void append_map(MsgpackReader& in, int depth, ByteBuffer& out) {
  const std::uint32_t count = in.read_map();
  out.push_back('{');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    append(in.kind() == Kind::Bytes ? in.read_bytes() : in.read_text(), out);
    out.push_back(':');
    append_json(in, depth, out);
  }
  out.push_back('}');
}

}  // namespace

void append_json(MsgpackReader& in, int depth, ByteBuffer& out) {
  const Kind kind = in.kind();
  if (depth == 0 && (kind == Kind::Array || kind == Kind::Map))
    throw MsgpackReader::Malformed{"it is nested too deep"};
  switch (kind) {
    case Kind::Text:
      return append(in.read_text(), out);
    case Kind::Bytes:
      return append(in.read_bytes(), out);
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
      return out.append(in.read_bool() ? "true" : "false");
    case Kind::Nil:
    case Kind::Extension:
    case Kind::Invalid:
      in.skip();
      return out.append("null");
  }
}

bool append_batch_as_ndjson(std::string_view payload, ByteBuffer& out) {
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
