#include "metrics-agent/forward/otlp/otlp_response.hpp"

#include <protozero/pbf_message.hpp>
#include <string>

#include "metrics-agent/forward/otlp/otlp_fields.hpp"

namespace mdpipe::agent {
namespace {

using protozero::pbf_wire_type;
using protozero::tag_and_type;

// A field is read only if it has its published type on the wire: protozero does not check the type, except by
// an assertion in debug builds.
OtlpPartialSuccess read_partial_success(std::string_view bytes) {
  OtlpPartialSuccess out;
  protozero::pbf_message<otlp::PartialSuccess> message(bytes);
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(otlp::PartialSuccess::RejectedPoints, pbf_wire_type::varint):
        out.rejected = message.get_uint64();
        break;
      case tag_and_type(otlp::PartialSuccess::Message, pbf_wire_type::length_delimited):
        out.message = message.get_view();
        break;
      default:
        message.skip();
    }
  }
  return out;
}

OtlpPartialSuccess read_response(std::string_view bytes) {
  OtlpPartialSuccess out;
  protozero::pbf_message<otlp::ExportResponse> message(bytes);
  while (message.next()) {
    if (message.tag_and_type() ==
        tag_and_type(otlp::ExportResponse::PartialSuccess, pbf_wire_type::length_delimited)) {
      out = read_partial_success(message.get_view());
    } else {
      message.skip();
    }
  }
  return out;
}

std::string_view read_status(std::string_view bytes) {
  std::string_view out;
  protozero::pbf_message<otlp::Status> message(bytes);
  while (message.next()) {
    if (message.tag_and_type() == tag_and_type(otlp::Status::Message, pbf_wire_type::length_delimited)) {
      out = message.get_view();
    } else {
      message.skip();
    }
  }
  return out;
}

// protozero throws on malformed bytes; the exception becomes a Result here.
template <typename Value>
Result<Value> read(std::string_view bytes, Value (*reader)(std::string_view)) {
  try {
    return reader(bytes);
  } catch (const protozero::exception& error) {
    return Error{ErrorKind::Protocol, std::string("the receiver's answer is malformed: ") + error.what()};
  }
}

}  // namespace

Result<OtlpPartialSuccess> read_export_response(std::string_view bytes) { return read(bytes, read_response); }

Result<std::string_view> read_status_message(std::string_view bytes) { return read(bytes, read_status); }

}  // namespace mdpipe::agent
