#include "metrics-agent/forward/otlp/otlp_answer.hpp"

#include <algorithm>

#include "libshared/json/json_string.hpp"
#include "metrics-agent/forward/otlp/otlp_response.hpp"

namespace mdpipe::agent {
namespace {

constexpr std::size_t kMessageCharsMax = 300;
constexpr std::string_view kProtobufType = "application/x-protobuf";

bool is_protobuf(const http::Response& response) {
  return response.content_type.substr(0, kProtobufType.size()) == kProtobufType;
}

// The body itself if it is something else, for example a proxy's page.
std::string_view message_of_failure(const http::Response& response) {
  if (!is_protobuf(response)) return response.body;
  const auto message = read_status_message(response.body);
  return message ? message.value() : response.body;
}

// Replaces each word of a header's value, but for the scheme before a credential ("Bearer"), by ***.
void mask_value(std::string& text, std::string_view header) {
  constexpr std::size_t kShortest = 4;  // shorter words are not secret, and occur everywhere
  const std::string_view value = header.substr(std::min(header.size(), header.find(':') + 1));
  for (std::size_t end = value.size(); end > 0;) {
    const std::size_t begin = value.find_last_of(" \t", end - 1) + 1;  // 0 if there is none
    const std::string_view word = value.substr(begin, end - begin);
    const bool is_scheme = end < value.size() && value.find_first_not_of(" \t") == begin;
    if (word.size() >= kShortest && !is_scheme) {
      for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos;)
        text.replace(at, word.size(), "***");
    }
    end = begin > 0 ? begin - 1 : 0;
  }
}

std::string sample_of(std::string_view answer, const std::vector<std::string>& headers) {
  std::string text(answer);
  for (const std::string& header : headers) mask_value(text, header);
  return printable_sample(text, kMessageCharsMax);
}

OtlpVerdict judge_success(const http::Response& response, const std::vector<std::string>& headers) {
  OtlpVerdict verdict;
  // Some receivers answer with an empty body and no type at all; that is a success in any encoding.
  const bool is_readable = is_protobuf(response) || response.body.empty();
  const auto read = is_readable ? read_export_response(response.body)
                                : Error{ErrorKind::Protocol, "the answer is of another type"};
  if (!read) {
    verdict.reason = otlp_reason::kBadAnswer;
    verdict.message = sample_of(response.body, headers);
    return verdict;
  }
  verdict.rejected = read.value().rejected;
  if (read.value().rejected > 0) verdict.reason = otlp_reason::kRejected;
  verdict.message = sample_of(read.value().message, headers);
  return verdict;
}

std::string_view retryable_reason(int status) {
  if (status == 429) return otlp_reason::kThrottled;
  if (status == 502 || status == 503 || status == 504) return otlp_reason::kUnavailable;
  return {};
}

}  // namespace

OtlpVerdict judge(const http::Response& response, const std::vector<std::string>& headers) {
  using Failure = http::Response::Failure;
  const bool is_success = response.status >= 200 && response.status < 300;
  OtlpVerdict verdict;
  if (response.failure == Failure::TooLarge && is_success) {  // the data was accepted
    verdict.reason = otlp_reason::kBadAnswer;
    verdict.message = response.error;
    return verdict;
  }
  if (response.failure == Failure::None && is_success) return judge_success(response, headers);
  verdict.reason = retryable_reason(response.status);
  verdict.fate = verdict.reason.empty() ? OtlpVerdict::Fate::Refused : OtlpVerdict::Fate::Retry;
  verdict.message = response.error;
  if (response.failure == Failure::None) {
    verdict.message = sample_of(message_of_failure(response), headers);
  } else if (response.failure != Failure::TooLarge) {
    verdict.fate = OtlpVerdict::Fate::Retry;
    verdict.reason = response.failure == Failure::TimedOut ? otlp_reason::kTimeout : otlp_reason::kConnection;
  }
  if (verdict.reason.empty()) verdict.reason = otlp_reason::kRefused;
  return verdict;
}

}  // namespace mdpipe::agent
