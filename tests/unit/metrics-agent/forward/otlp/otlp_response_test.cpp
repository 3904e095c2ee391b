#include "metrics-agent/forward/otlp/otlp_response.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mdpipe::agent {
namespace {

// partial_success{rejected_data_points: 300, error_message: "abc"}, and a field of a later version.
constexpr std::string_view kResponse(
    "\x0a\x08\x08\xac\x02\x12\x03"
    "abc"
    "\x19\x01\0\0\0\0\0\0\0",
    19);
constexpr std::string_view kStatus("\x08\x03\x12\x07testing\x1a\x02\x08\x01", 15);  // code, message, details

TEST(OtlpResponse, reads_a_partial_success_and_skips_other_fields) {
  const auto read = read_export_response(kResponse);
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().rejected, 300U);
  EXPECT_EQ(read.value().message, "abc");
}

TEST(OtlpResponse, reads_the_message_of_a_status) {
  EXPECT_EQ(read_status_message(kStatus).value(), "testing");
  EXPECT_EQ(read_status_message("").value(), "");
}

TEST(OtlpResponse, without_a_partial_success_nothing_is_rejected) {
  EXPECT_EQ(read_export_response("").value().rejected, 0U);
  EXPECT_EQ(read_export_response(std::string_view("\x0a\0", 2)).value().rejected, 0U);
}

TEST(OtlpResponse, a_field_of_another_type_than_the_published_one_is_skipped) {
  EXPECT_TRUE(read_export_response("\x08\x01").value().message.empty());  // partial_success as a number
  // rejected_data_points as text, error_message as a number.
  const auto read = read_export_response("\x0a\x05\x0a\x01x\x10\x07");
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().rejected, 0U);
  EXPECT_TRUE(read.value().message.empty());
}

TEST(OtlpResponse, cutting_a_message_anywhere_is_noticed) {
  const std::size_t ends[] = {10, 19};  // of whole fields
  for (std::size_t size = 1; size < kResponse.size(); ++size) {
    const auto read = read_export_response(kResponse.substr(0, size));
    EXPECT_EQ(read.ok(), size == ends[0] || size == ends[1]) << size;
    EXPECT_TRUE(read.ok() || read.error().kind == ErrorKind::Protocol) << size;
  }
}

TEST(OtlpResponse, what_is_no_message_is_not_read) {
  for (const std::string_view bytes : {"\x0b", "\x07", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                       "<html>", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"}) {
    EXPECT_FALSE(read_export_response(bytes)) << bytes;
    EXPECT_FALSE(read_status_message(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace mdpipe::agent
