#pragma once
// Reads the answers of an OTLP receiver, which may be any bytes: an error of kind Protocol if they are not
// the message that is asked for. Pure.
#include <cstdint>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::agent {

struct OtlpPartialSuccess {
  std::uint64_t rejected = 0;  // points
  std::string_view message;    // borrowed from the answer
};

// Of an ExportMetricsServiceResponse; empty bytes are one without a partial success.
Result<OtlpPartialSuccess> read_export_response(std::string_view bytes);
// The message of a google.rpc.Status, borrowed from it.
Result<std::string_view> read_status_message(std::string_view bytes);

}  // namespace mdpipe::agent
