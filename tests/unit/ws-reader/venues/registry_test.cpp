#include "ws-reader/venues/registry.hpp"

#include <gmock/gmock.h>

namespace mdpipe::venues {
namespace {

TEST(Registry, knows_every_exchange_by_its_folder) {
  EXPECT_THAT(exchange_names(), testing::IsSupersetOf({"binance", "bitflyer", "gmo"}));
  for (const std::string& name : exchange_names()) {
    const auto adapter = make_adapter(name);
    ASSERT_NE(adapter, nullptr) << name;
    EXPECT_EQ(adapter->profile().exchange, name);
    EXPECT_EQ(adapter->profile().url.substr(0, 6), "wss://") << name;
    EXPECT_GT(adapter->profile().idle_timeout.count(), 0) << name;
  }
  EXPECT_EQ(make_adapter("nowhere"), nullptr);
}

}  // namespace
}  // namespace mdpipe::venues
