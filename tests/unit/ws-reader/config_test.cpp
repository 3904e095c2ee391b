#include "ws-reader/config.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace mdpipe::reader {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Loaded {
  Config config;
  std::string error;
  ErrorKind kind{};
};

Loaded load(std::vector<std::string> arguments) {
  Loaded loaded;
  config::OptionTable table("ws-reader", "Test.");
  add_options(table, loaded.config);
  std::vector<const char*> argv{"ws-reader"};
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  const auto result = table.load(static_cast<int>(argv.size()), argv.data());
  if (!result) {
    loaded.error = result.error().message;
    loaded.kind = result.error().kind;
  }
  return loaded;
}

Loaded load_with(const std::string& argument) {
  return load({"--exchange=gmo", "--symbols=BTC_JPY", argument});
}

TEST(ReaderConfig, fills_in_what_depends_on_other_options) {
  const Loaded loaded = load({"--exchange=gmo", "--symbols=BTC_JPY", "--runtime-dir=/run/x"});
  ASSERT_EQ(loaded.error, "");
  EXPECT_EQ(loaded.config.source, "gmo");
  EXPECT_EQ(loaded.config.events_endpoint, "ipc:///run/x/events");
  EXPECT_EQ(loaded.config.positions_endpoint, "ipc:///run/x/positions");
  EXPECT_EQ(loaded.config.metrics_endpoint, "ipc:///run/x/metrics");
  EXPECT_EQ(loaded.config.tap_endpoint, "ipc:///run/x/tap-gmo");
}

TEST(ReaderConfig, subscribes_each_symbol_to_each_channel_once) {
  const Loaded loaded =
      load({"--exchange=gmo", "--symbols=BTC_JPY,ETH_JPY,BTC_JPY", "--channels=trades,trade,orderbooks"});
  ASSERT_EQ(loaded.error, "");
  const auto wanted = loaded.config.subscriptions();
  ASSERT_EQ(wanted.size(), 4U);
  EXPECT_EQ(wanted[0].channel, EventType::Trade);
  EXPECT_EQ(wanted[1].channel, EventType::OrderBook);
  EXPECT_EQ(wanted[1].symbol, "BTC_JPY");
  EXPECT_EQ(wanted[2].symbol, "ETH_JPY");
}

TEST(ReaderConfig, standard_input_needs_no_symbols) {
  EXPECT_EQ(load({"--exchange=gmo", "--stdin"}).error, "");
}

TEST(ReaderConfig, takes_symbols_of_any_script) {
  const Loaded loaded = load({"--exchange=binance", "--symbols=币安人生USDT"});
  EXPECT_EQ(loaded.error, "");
}

TEST(ReaderConfig, books_are_checked_but_by_a_plain_filter) {
  EXPECT_TRUE(load_with("--log-level=info").config.checks_books());
  EXPECT_FALSE(load_with("--stdin").config.checks_books());
  EXPECT_FALSE(load_with("--books=raw").config.checks_books());
  EXPECT_TRUE(load({"--exchange=gmo", "--stdin", "--books=checked"}).config.checks_books());
}

TEST(ReaderConfig, the_tap_can_be_switched_off) { EXPECT_EQ(load_with("--tap-endpoint=none").error, ""); }

TEST(ReaderConfig, stale_limits_are_the_exchanges_own_but_for_the_channels_that_are_named) {
  venues::Profile profile;
  profile.stale_after = {std::chrono::seconds(1), std::chrono::seconds(2), std::chrono::seconds(3)};
  const Loaded loaded = load_with("--stale-after=orderbooks=3500ms,ticker=1m");
  ASSERT_EQ(loaded.error, "");
  const venues::StaleAfter limits = loaded.config.stale_limits(profile);
  EXPECT_EQ(limits[0], std::chrono::minutes(1));
  EXPECT_EQ(limits[1], std::chrono::seconds(2));
  EXPECT_EQ(limits[2], std::chrono::milliseconds(3500));
}

TEST(ReaderConfig, errors_name_the_option_the_value_and_the_remedy) {
  EXPECT_THAT(load({"--symbols=X"}).error,
              AllOf(HasSubstr("--exchange"), HasSubstr("gmo"), HasSubstr("binance")));
  EXPECT_THAT(load({"--exchange=gmo"}).error, AllOf(HasSubstr("--symbols"), HasSubstr("BTC_JPY")));
  EXPECT_THAT(load({"--exchange=nyse", "--symbols=X"}).error,
              AllOf(HasSubstr("--exchange 'nyse'"), HasSubstr("one of"), HasSubstr("gmo")));
  EXPECT_THAT(load_with("--channels=candles").error,
              AllOf(HasSubstr("--channels 'candles'"), HasSubstr("orderbook")));
  EXPECT_THAT(load_with("--channels=").error,
              AllOf(HasSubstr("--channels"), HasSubstr("ticker, trade, orderbook")));
  EXPECT_THAT(load_with("--symbols=A B").error,
              AllOf(HasSubstr("--symbols 'A B'"), HasSubstr("1 to 64 characters")));
  EXPECT_THAT(load_with("--symbols=A\"").error, AllOf(HasSubstr("--symbols"), HasSubstr("quotes")));
  EXPECT_THAT(load_with("--symbols=" + std::string(65, 'A')).error, HasSubstr("1 to 64 characters"));
  EXPECT_THAT(load_with("--source=*").error, AllOf(HasSubstr("--source '*'"), HasSubstr("letters, digits")));
  EXPECT_THAT(load_with("--source=" + std::string(129, 'a')).error, HasSubstr("at most 128 characters"));
  EXPECT_THAT(load_with("--url=https://example.com").error,
              AllOf(HasSubstr("--url 'https://"), HasSubstr("wss://")));
  EXPECT_THAT(load_with("--rest-url=wss://example.com").error,
              AllOf(HasSubstr("--rest-url 'wss://"), HasSubstr("https://")));
  EXPECT_THAT(load_with("--books=some").error, AllOf(HasSubstr("--books 'some'"), HasSubstr("checked")));
  EXPECT_THAT(load_with("--events-endpoint=udp://x").error,
              AllOf(HasSubstr("--events-endpoint"), HasSubstr("ipc:///")));
  EXPECT_THAT(load_with("--metrics-endpoint=tcp://x").error,
              AllOf(HasSubstr("--metrics-endpoint"), HasSubstr("port")));
  EXPECT_THAT(load_with("--positions-endpoint=ipc://x").error, HasSubstr("--positions-endpoint"));
  EXPECT_THAT(load_with("--runtime-dir=/" + std::string(200, 'x')).error, HasSubstr("a socket's may have"));
  EXPECT_THAT(load_with("--frame-bytes-max=1").error,
              AllOf(HasSubstr("--frame-bytes-max '1'"), HasSubstr("from 1024")));
  EXPECT_THAT(load_with("--retain-bytes=1").error, HasSubstr("--retain-bytes '1'"));
  EXPECT_THAT(load_with("--connect-timeout=soon").error,
              AllOf(HasSubstr("--connect-timeout 'soon'"), HasSubstr("10s")));
  for (const char* wrong : {"ticker", "ticker=", "candles=3s", "=3s", "ticker=3x", "ticker=2s", "ticker=48h"})
    EXPECT_THAT(load_with(std::string("--stale-after=") + wrong).error,
                AllOf(HasSubstr("--stale-after '"), HasSubstr("ticker=30s")));
  EXPECT_THAT(load_with("--log-level=loud").error, AllOf(HasSubstr("--log-level 'loud'"), HasSubstr("info")));
}

TEST(ReaderConfig, a_wrong_flag_is_bad_usage_and_a_wrong_combination_bad_configuration) {
  EXPECT_EQ(load_with("--log-level=loud").kind, ErrorKind::BadUsage);
  const Loaded loaded =
      load({"--exchange=gmo", "--symbols=X", "--reconnect-delay-min=10s", "--reconnect-delay-max=1s"});
  EXPECT_EQ(loaded.kind, ErrorKind::BadConfig);
  EXPECT_THAT(loaded.error,
              AllOf(HasSubstr("--reconnect-delay-max 1000ms"), HasSubstr("--reconnect-delay-min 10000ms")));
}

}  // namespace
}  // namespace mdpipe::reader
