#include "libshared/event/event.hpp"

#include <gtest/gtest.h>

namespace mdpipe {
namespace {

TEST(Event, the_name_of_each_type_is_parsed_back) {
  for (const EventType type : kEventTypes) EXPECT_EQ(parse_event_type(to_string(type)), type);
  for (const char* name : {"", "trades", "Trade", "feed "})
    EXPECT_EQ(parse_event_type(name), std::nullopt) << name;
}

TEST(Event, the_body_tells_the_type) {
  EXPECT_EQ((Event{"gmo", "BTC", {}, {}, Trade{}}).type(), EventType::Trade);
  EXPECT_EQ((Event{"gmo", "BTC", {}, {}, FeedChange{}}).type(), EventType::Feed);
}

}  // namespace
}  // namespace mdpipe
