#include "ws-reader/feeds/subscription_changes.hpp"

#include <gmock/gmock.h>

#include <string>

namespace mdpipe::reader {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> subscription_names(const std::vector<venues::Subscription>& subscriptions) {
  std::vector<std::string> out;
  for (const auto& one : subscriptions) out.push_back(std::string(to_string(one.channel)) + " " + one.symbol);
  return out;
}

TEST(SubscriptionChanges, are_what_one_list_has_and_the_other_has_not_in_the_order_written) {
  const std::vector<venues::Subscription> before = {
      {EventType::Trade, "B"}, {EventType::Ticker, "B"}, {EventType::Trade, "A"}, {EventType::Ticker, "A"}};
  const std::vector<venues::Subscription> after = {
      {EventType::Ticker, "C"}, {EventType::Ticker, "A"}, {EventType::OrderBook, "A"}};
  const auto changes = changes_between(before, after);
  EXPECT_THAT(subscription_names(changes.ended), ElementsAre("trade B", "ticker B", "trade A"));
  EXPECT_THAT(subscription_names(changes.begun), ElementsAre("ticker C", "orderbook A"));
  EXPECT_THAT(changes_between(before, before).ended, IsEmpty());
  EXPECT_THAT(changes_between(before, before).begun, IsEmpty());
}

}  // namespace
}  // namespace mdpipe::reader
