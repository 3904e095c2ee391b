#include "metrics-agent/forward/otlp/otlp_answer.hpp"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "metrics-agent/forward/otlp/otlp_config.hpp"
#include "metrics-agent/forward/otlp/otlp_retry.hpp"

namespace mdpipe::agent {
namespace {

using Fate = OtlpVerdict::Fate;
using Failure = http::Response::Failure;

// Of requests without headers of our own.
OtlpVerdict judge(const http::Response& response) { return agent::judge(response, {}); }

http::Response answer(int status, std::string_view body = {},
                      std::string_view type = "application/x-protobuf") {
  http::Response response;
  response.status = status;
  response.body = body;
  response.content_type = type;
  return response;
}

std::string partial_success(std::uint64_t rejected, std::string_view message) {
  std::string bytes;
  protozero::pbf_writer response(bytes);
  protozero::pbf_writer partial(response, 1);
  if (rejected > 0) partial.add_uint64(1, rejected);
  partial.add_string(2, message);
  partial.commit();
  return bytes;
}

TEST(OtlpAnswer, receiver_that_repeats_the_headers_does_not_get_them_into_the_log) {
  const std::vector<std::string> headers = {"Authorization: Bearer s3cret-token", "X-Api-Key:0123456789",
                                            "X-Scope: 7"};
  const std::string body = "no Bearer s3cret-token, no 0123456789, no s3cret-token for scope 7";
  for (const int status : {200, 403, 503}) {
    EXPECT_EQ(agent::judge(answer(status, body, "text/plain"), headers).message,
              "no Bearer ***, no ***, no *** for scope 7");
  }
  // Also if the header's value lies across the end of the sample.
  const std::string late = std::string(295, '.') + "s3cret-token";
  EXPECT_EQ(agent::judge(answer(403, late, "text/plain"), headers).message.find("s3"), std::string::npos);
  EXPECT_EQ(agent::judge(answer(200, partial_success(1, body)), headers).message.find("s3"),
            std::string::npos);
}

TEST(OtlpAnswer, only_four_statuses_are_asked_again) {
  for (int status = 300; status < 600; ++status) {
    const bool again = status == 429 || status == 502 || status == 503 || status == 504;
    EXPECT_EQ(judge(answer(status)).fate, again ? Fate::Retry : Fate::Refused) << status;
  }
  EXPECT_EQ(judge(answer(429)).reason, otlp_reason::kThrottled);
  EXPECT_EQ(judge(answer(503)).reason, otlp_reason::kUnavailable);
  EXPECT_EQ(judge(answer(400)).reason, otlp_reason::kRefused);
}

TEST(OtlpAnswer, no_answer_is_asked_again) {
  http::Response response;
  response.error = "connection refused";
  response.failure = Failure::Other;
  EXPECT_EQ(judge(response).fate, Fate::Retry);
  EXPECT_EQ(judge(response).reason, otlp_reason::kConnection);
  EXPECT_EQ(judge(response).message, "connection refused");
  response.failure = Failure::TimedOut;
  EXPECT_EQ(judge(response).reason, otlp_reason::kTimeout);
}

TEST(OtlpAnswer, success_is_taken_with_and_without_a_body) {
  for (const auto& response : {answer(200), answer(202, {}, {}), answer(200, "", "text/plain")}) {
    EXPECT_EQ(judge(response).fate, Fate::Accepted);
    EXPECT_TRUE(judge(response).reason.empty());
  }
}

TEST(OtlpAnswer, partial_success_is_taken_and_says_what_is_lost) {
  const std::string body = partial_success(7, "too old\n");
  const OtlpVerdict verdict = judge(answer(200, body));
  EXPECT_EQ(verdict.fate, Fate::Accepted);
  EXPECT_EQ(verdict.reason, otlp_reason::kRejected);
  EXPECT_EQ(verdict.rejected, 7U);
  EXPECT_EQ(verdict.message, "too old\\x0a");
  const std::string warning = partial_success(0, "deprecated");
  EXPECT_TRUE(judge(answer(200, warning)).reason.empty());
  EXPECT_EQ(judge(answer(200, warning)).message, "deprecated");
}

TEST(OtlpAnswer, a_success_that_nobody_can_read_is_not_sent_again) {
  http::Response large = answer(200);
  large.failure = Failure::TooLarge;
  for (const auto& response : {answer(200, "\x0a\xff"), answer(200, "<html>", "text/html"), large}) {
    EXPECT_EQ(judge(response).fate, Fate::Accepted);
    EXPECT_EQ(judge(response).reason, otlp_reason::kBadAnswer);
  }
  large.status = 500;
  EXPECT_EQ(judge(large).fate, Fate::Refused);
}

TEST(OtlpAnswer, the_message_of_a_failure_is_told) {
  std::string status;
  protozero::pbf_writer writer(status);
  writer.add_int32(1, 3);
  writer.add_string(2, "no such tenant");
  EXPECT_EQ(judge(answer(400, status)).message, "no such tenant");
  EXPECT_EQ(judge(answer(404, "404 page not found", "text/plain")).message, "404 page not found");
}

TEST(OtlpRetry, doubles_up_to_its_limit_with_jitter) {
  OtlpRetry retry;
  const int whole_ms[] = {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000, 60'000, 60'000};
  for (const int whole : whole_ms) {
    OtlpRetry low = retry;
    EXPECT_EQ(low.on_failure({}, 0).count(), whole / 2);
    EXPECT_EQ(retry.on_failure({}, 0.5).count(), whole * 3 / 4);
  }
  EXPECT_EQ(retry.failures(), 9);
  EXPECT_EQ(retry.on_success(), 9);
  EXPECT_EQ(retry.on_failure({}, 0).count(), 500);
}

TEST(OtlpRetry, waits_as_long_as_it_is_asked_to) {
  OtlpRetry retry;
  EXPECT_EQ(retry.on_failure(std::chrono::seconds(30), 0).count(), 30'000);
  EXPECT_EQ(retry.on_failure(std::chrono::seconds(30), 0.5).count(), 30'500);
  EXPECT_EQ(retry.on_failure(std::chrono::hours(24), 0), OtlpRetry::kRetryAfterMax);
}

TEST(OtlpRetry, gives_a_request_up_after_its_attempts_and_goes_on_waiting) {
  OtlpRetry retry;
  for (int i = 1; i < OtlpRetry::kAttemptsMax; ++i) {
    retry.on_failure({}, 0);
    EXPECT_FALSE(retry.gives_up());
  }
  retry.on_failure({}, 0);
  EXPECT_TRUE(retry.gives_up());
  retry.begin_request();
  EXPECT_FALSE(retry.gives_up());
  EXPECT_EQ(retry.on_failure({}, 0).count(), 16'000);
}

TEST(OtlpOptions, the_path_of_metrics_is_added_where_there_is_none) {
  EXPECT_EQ(otlp_metrics_url("http://host:4318").value(), "http://host:4318/v1/metrics");
  EXPECT_EQ(otlp_metrics_url("https://host/").value(), "https://host/v1/metrics");
  EXPECT_EQ(otlp_metrics_url("https://host/otlp/v1/metrics").value(), "https://host/otlp/v1/metrics");
  EXPECT_EQ(otlp_metrics_url("http://[::1]:4318").value(), "http://[::1]:4318/v1/metrics");
  for (const char* wrong :
       {"host:4318", "grpc://host:4317", "http://", "http:///v1", "http://a b", "https://h\n"})
    EXPECT_FALSE(otlp_metrics_url(wrong)) << wrong;
}

TEST(OtlpOptions, a_wrong_header_is_named_by_its_line_only) {
  const auto headers = parse_otlp_headers("# for the backend\nApi-Key: secret\r\n\nX-Tenant:a:b\n");
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers.value(), (std::vector<std::string>{"Api-Key: secret", "X-Tenant:a:b"}));
  for (const char* wrong : {"secret", ": secret", "Api Key: secret", "Api-Key:  ", "Api-Key: sec\x01ret"}) {
    const auto refused = parse_otlp_headers(std::string("A: b\n") + wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().message.find("sec"), std::string::npos);
    EXPECT_NE(refused.error().message.find("line 2"), std::string::npos);
  }
}

}  // namespace
}  // namespace mdpipe::agent
