#pragma once
// What the answer to an OTLP request means for the points in it. The rules are those of
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response (read 2026-11-25): 429, 502, 503 and 504 are
// retried, like requests without an answer; every other status from 300 on is final. With a success, the
// receiver may have rejected some points, which is final too. Pure.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/http/message.hpp"

namespace mdpipe::agent {

// Labels of collector_forward_errors_total and collector_forward_dropped_points_total.
namespace otlp_reason {
inline constexpr std::string_view kConnection = "connection";    // no answer
inline constexpr std::string_view kTimeout = "timeout";          // none within --otlp-timeout
inline constexpr std::string_view kThrottled = "throttled";      // 429
inline constexpr std::string_view kUnavailable = "unavailable";  // 502, 503, 504
inline constexpr std::string_view kBadAnswer = "bad_answer";     // a success whose body cannot be read
inline constexpr std::string_view kRefused = "refused";          // a status that is not retried
inline constexpr std::string_view kRejected = "rejected";        // the receiver left some points out
inline constexpr std::array kErrors = {kConnection, kTimeout, kThrottled, kUnavailable, kBadAnswer};
inline constexpr std::array kDrops = {kRefused, kRejected};
}  // namespace otlp_reason

struct OtlpVerdict {
  enum class Fate { Accepted, Retry, Refused };
  Fate fate = Fate::Accepted;
  std::string_view reason;     // empty if all went well
  std::uint64_t rejected = 0;  // points of an accepted request
  std::string message;         // from the receiver or libcurl, made printable
};

// `headers` are those of the request ("Name: value"): if a receiver repeats them, their values are masked
// before they are logged.
OtlpVerdict judge(const http::Response& response, const std::vector<std::string>& headers);

}  // namespace mdpipe::agent
