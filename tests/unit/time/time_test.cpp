#include "libshared/time/time.hpp"

#include <gtest/gtest.h>

namespace mdpipe {
namespace {

std::int64_t iso(std::string_view text) {
  const auto time = parse_iso8601(text);
  return time ? time->count : -1;
}

std::int64_t epoch(std::string_view digits) {
  const auto time = parse_epoch(digits);
  return time ? time->count : -1;
}

TEST(Iso8601, takes_any_number_of_fractional_digits) {
  EXPECT_EQ(iso("2018-03-30T12:34:56Z"), 1'522'413'296'000'000'000);
  EXPECT_EQ(iso("2018-03-30T12:34:56"), 1'522'413'296'000'000'000);
  EXPECT_EQ(iso("2018-03-30T12:34:56.7Z"), 1'522'413'296'700'000'000);
  EXPECT_EQ(iso("2018-03-30T12:34:56.789Z"), 1'522'413'296'789'000'000);
  EXPECT_EQ(iso("2018-03-30T12:34:56.6491037Z"), 1'522'413'296'649'103'700);
  EXPECT_EQ(iso("2018-03-30T12:34:56.123456789Z"), 1'522'413'296'123'456'789);
  EXPECT_EQ(iso("2018-03-30T12:34:56.123456789987654321Z"), 1'522'413'296'123'456'789);
}

TEST(Iso8601, knows_the_calendar) {
  EXPECT_EQ(iso("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(iso("2000-02-29T00:00:00Z"), 951'782'400'000'000'000);
  EXPECT_EQ(iso("2024-02-29T23:59:59Z"), 1'709'251'199'000'000'000);
  EXPECT_EQ(iso("2261-12-31T23:59:59.999999999Z"), 9'214'646'399'999'999'999);
  EXPECT_EQ(iso("2016-12-31T23:59:60Z"), iso("2017-01-01T00:00:00Z")) << "a leap second is the next second";
  for (const char* text :
       {"2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-10T00:00:00Z",
        "2024-04-31T00:00:00Z", "2024-04-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z"}) {
    EXPECT_EQ(iso(text), -1) << text;
  }
}

TEST(Iso8601, refuses_what_is_not_a_time_in_utc) {
  for (const char* text :
       {"", "Z", "2018-03-30", "2018-03-30T12:34", "2018-03-30 12:34:56Z", "2018-03-30T12:34:56.Z",
        "2018-03-30T12:34:56,7Z", "2018-03-30T12:34:56+09:00", "2018-03-30T12:34:56.7x",
        "2018-03-30T12:34:56ZZ", "2018-03-30T12:34:56z", "2018/03/30T12:34:56Z", "18-03-30T12:34:56Z",
        "2018-3-30T12:34:56Z", "2018-03-30T-1:34:56Z", "2018-03-30T12:34:56.-1Z", "20180330T123456Z",
        "1522413296"}) {
    EXPECT_EQ(iso(text), -1) << text;
  }
}

TEST(Iso8601, cut_anywhere_is_a_time_or_nothing) {
  const std::string_view whole = "2018-03-30T12:34:56.789Z";
  for (std::size_t bytes = 0; bytes < 19; ++bytes) EXPECT_EQ(iso(whole.substr(0, bytes)), -1) << bytes;
  EXPECT_EQ(iso(whole.substr(0, 20)), -1) << "a point without digits";
}

TEST(Epoch, tells_the_unit_by_the_magnitude) {
  EXPECT_EQ(epoch("1709284087"), 1'709'284'087'000'000'000);
  EXPECT_EQ(epoch("1709284087123"), 1'709'284'087'123'000'000);
  EXPECT_EQ(epoch("1709284087123456"), 1'709'284'087'123'456'000);
  EXPECT_EQ(epoch("1709284087123456789"), 1'709'284'087'123'456'789);
  EXPECT_EQ(epoch("0"), 0);
}

TEST(Epoch, refuses_what_is_not_1_to_19_digits_or_too_late) {
  for (const char* text :
       {"", "-1", "+1", "1.5", "1e9", "x", " 1", "12345678901234567890", "9999999999999999999"}) {
    EXPECT_EQ(epoch(text), -1) << text;
  }
  EXPECT_EQ(epoch("99999999999"), -1) << "seconds of the year 5138";
  EXPECT_EQ(epoch("9223372036854775807"), 9'223'372'036'854'775'807);
}

TEST(ToIso8601, is_the_inverse_of_parsing) {
  for (const char* text : {"1970-01-01T00:00:00.000000000Z", "2024-02-29T23:59:59.000000001Z",
                           "2026-09-23T03:25:47.765000000Z"}) {
    EXPECT_EQ(to_iso8601(parse_iso8601(text).value()), text);
  }
  EXPECT_EQ(to_iso8601(UnixNanos{-1}), "1969-12-31T23:59:59.999999999Z");
}

TEST(UnixNanos, differences_are_durations) {
  EXPECT_EQ(UnixNanos{5} - UnixNanos{7}, std::chrono::nanoseconds(-2));
  EXPECT_TRUE(UnixNanos{5} < UnixNanos{7});
}

}  // namespace
}  // namespace mdpipe
