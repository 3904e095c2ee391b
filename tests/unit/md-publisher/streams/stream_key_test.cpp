#include "md-publisher/streams/stream_key.hpp"

#include <gmock/gmock.h>

namespace mdpipe::publisher {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string name(std::string_view pattern) {
  const auto naming = StreamNaming::parse(pattern);
  return naming ? naming.value().name("trade", "gmo", "BTC_JPY") : naming.error().message;
}

TEST(StreamNaming, fills_in_its_placeholders) {
  EXPECT_EQ(name("md:{type}"), "md:trade");
  EXPECT_EQ(name("{exchange}:{type}:{symbol}"), "gmo:trade:BTC_JPY");
  EXPECT_EQ(name("{symbol}{symbol}"), "BTC_JPYBTC_JPY");
  EXPECT_EQ(name("fixed"), "fixed");
  EXPECT_EQ(name("a}b"), "a}b");
}

TEST(StreamNaming, says_what_is_wrong_with_a_template) {
  EXPECT_THAT(name(""), HasSubstr("it is empty"));
  EXPECT_THAT(name("md:{kind}"),
              AllOf(HasSubstr("'md:{kind}'"), HasSubstr("there is no {kind}"), HasSubstr("{type}")));
  EXPECT_THAT(name("md:{type"), HasSubstr("not closed"));
  EXPECT_THAT(name("md:{}"), HasSubstr("there is no {}"));
}

TEST(TrimPolicy, has_a_default_and_exceptions_by_type) {
  const auto policy = TrimPolicy::parse("100000,orderbook=20000,trade=0");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy.value().maxlen("ticker"), 100'000U);
  EXPECT_EQ(policy.value().maxlen("orderbook"), 20'000U);
  EXPECT_EQ(policy.value().maxlen("trade"), 0U);
}

TEST(TrimPolicy, keeps_everything_where_nothing_is_said) {
  EXPECT_EQ(TrimPolicy::parse("").value().maxlen("trade"), 0U);
  EXPECT_EQ(TrimPolicy::parse("orderbook=5").value().maxlen("trade"), 0U);
}

TEST(TrimPolicy, names_the_item_that_is_wrong) {
  for (const auto* item : {"many", "trade=", "trade=-1", "1.5", "trade=1x"}) {
    const auto policy = TrimPolicy::parse(std::string("7,") + item);
    ASSERT_FALSE(policy) << item;
    EXPECT_EQ(policy.error().kind, ErrorKind::BadConfig);
    EXPECT_THAT(policy.error().message, AllOf(HasSubstr("--maxlen"), HasSubstr(item), HasSubstr("100000")));
  }
}

TEST(TrimPolicy, has_ages_too) {
  const auto policy = TrimPolicy::parse("0", "24h,orderbook=90m,trade=0");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy.value().maxage("ticker"), std::chrono::hours(24));
  EXPECT_EQ(policy.value().maxage("orderbook"), std::chrono::minutes(90));
  EXPECT_EQ(policy.value().maxage("trade").count(), 0);
  for (const auto* item : {"old", "trade=", "trade=-1s", "1 day"}) {
    EXPECT_THAT(TrimPolicy::parse("0", item).error().message, AllOf(HasSubstr("--maxage"), HasSubstr(item)));
  }
}

}  // namespace
}  // namespace mdpipe::publisher
