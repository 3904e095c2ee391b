#include "metrics-agent/forward/otlp/otlp_answer.hpp"

#include <algorithm>
#include <optional>

#include "libshared/json/json_string.hpp"
#include "metrics-agent/forward/otlp/protobuf_reader.hpp"

namespace mdpipe::agent {
namespace {

constexpr std::size_t kMessageCharsMax = 300;
constexpr std::string_view kProtobufType = "application/x-protobuf";

struct PartialSuccess {
  std::uint64_t rejected = 0;
  std::string_view message;
};

// ExportMetricsPartialSuccess: rejected_data_points = 1, error_message = 2.
std::optional<PartialSuccess> read_partial_success(std::string_view bytes) {
  PartialSuccess out;
  ProtobufReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) out.rejected = field->value;
    if (field->number == 2) out.message = field->bytes;
  }
  if (!reader.is_whole()) return std::nullopt;
  return out;
}

// ExportMetricsServiceResponse: partial_success = 1.
std::optional<PartialSuccess> read_response(std::string_view bytes) {
  std::optional<PartialSuccess> out = PartialSuccess();
  ProtobufReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1) out = read_partial_success(field->bytes);
    if (!out) return std::nullopt;
  }
  if (!reader.is_whole()) return std::nullopt;
  return out;
}

// google.rpc.Status: message = 2. Of a proxy's page the text itself.
std::string_view message_of_failure(const http::Response& response) {
  if (response.content_type.substr(0, kProtobufType.size()) != kProtobufType) return response.body;
  std::string_view message;
  ProtobufReader reader(response.body);
  while (const auto field = reader.next()) {
    if (field->number == 2) message = field->bytes;
  }
  return message;
}

// Replaces each word of a header's value, but for the scheme before a credential ("Bearer"), by ***.
void mask_value(std::string& text, std::string_view header) {
  constexpr std::size_t kShortest = 4;  // less is no secret, and would turn up everywhere
  const std::string_view value = header.substr(std::min(header.size(), header.find(':') + 1));
  for (std::size_t end = value.size(); end > 0;) {
    const std::size_t begin = value.find_last_of(" \t", end - 1) + 1;  // 0 where there is none
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
  const bool is_protobuf = response.content_type.substr(0, kProtobufType.size()) == kProtobufType;
  // Some receivers answer with an empty body and no type at all; that is a success in any encoding.
  std::optional<PartialSuccess> read;
  if (is_protobuf || response.body.empty()) read = read_response(response.body);
  if (!read) {
    verdict.reason = otlp_reason::kBadAnswer;
    verdict.message = sample_of(response.body, headers);
    return verdict;
  }
  verdict.rejected = read->rejected;
  if (read->rejected > 0) verdict.reason = otlp_reason::kRejected;
  verdict.message = sample_of(read->message, headers);
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
  if (response.failure == Failure::TooLarge && is_success) {  // an answer to data that was taken
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
