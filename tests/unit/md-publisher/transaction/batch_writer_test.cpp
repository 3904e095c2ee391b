// The commands BatchWriter makes are read back with hiredis, whose reader knows nothing of how they were
// written.
#include "md-publisher/transaction/batch_writer.hpp"

#include <gtest/gtest.h>

#include <msgpack.hpp>

#include "libshared/wire/event_codec.hpp"
#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

// A batch payload, packed by msgpack-c value by value.
class Payload {
 public:
  explicit Payload(std::uint32_t events) { packer_.pack_array(events); }
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;

  Payload& map(std::uint32_t keys) { return packer_.pack_map(keys), *this; }
  Payload& array(std::uint32_t items) { return packer_.pack_array(items), *this; }
  Payload& extension() { return packer_.pack_ext(4, 1).pack_ext_body("data", 4), *this; }
  Payload& nil() { return packer_.pack_nil(), *this; }
  Payload& text(const std::string& value) { return packer_.pack(value), *this; }
  template <typename Value>
  Payload& value(Value value) {
    return packer_.pack(value), *this;
  }
  // The front of an event that has `more` keys behind its address.
  Payload& event(std::uint32_t more, const std::string& symbol = "S") {
    return map(3 + more).text("type").text("news").text("exchange").text("x").text("symbol").text(symbol);
  }
  [[nodiscard]] std::string_view view() const { return out_.view(); }

 private:
  wire::ByteBuffer out_;
  msgpack::packer<wire::ByteBuffer> packer_{out_};
};

struct BatchWriterTest : testing::Test {
  metrics::MetricsCollector collector{{"md-publisher", "p", "", true, 1000}};
  StreamTable streams{StreamNaming::parse("md:{type}").value(), TrimPolicy::parse("1000,trade=0").value(),
                      collector};
  Transaction transaction;

  BatchCount write(std::string_view payload, std::uint32_t count, std::uint32_t skip = 0,
                   EntryFormat format = EntryFormat::Fields) {
    BatchWriter writer(streams, format);
    return writer.write(payload, skip, count, transaction);
  }
  // The XADD commands made so far.
  [[nodiscard]] std::vector<Words> entries() const {
    auto commands = read_commands(transaction.commands());
    EXPECT_EQ(commands.front(), Words{"MULTI"});
    commands.erase(commands.begin());
    return commands;
  }
};

Event book() {
  static constexpr Level kBids[] = {{"100", "1.5"}, {"99.5", "2"}};
  static constexpr Level kAsks[] = {{"101", "0.1"}};
  Event event;
  event.exchange = "gmo";
  event.symbol = "BTC_JPY";
  event.ts = UnixNanos{1'700'000'000'000'000'001};
  event.recv = UnixNanos{1'700'000'000'000'000'002};
  event.body = OrderBook{BookKind::Snapshot, {kBids, 2}, {kAsks, 1}, 42};
  return event;
}

wire::ByteBuffer batch_of(std::initializer_list<Event> events) {
  wire::ByteBuffer out;
  wire::begin_batch(out);
  std::uint32_t count = 0;
  for (const Event& event : events) wire::encode_event(event, ++count, out);
  wire::seal_batch(out, count);
  return out;
}

TEST_F(BatchWriterTest, writes_a_field_for_each_key_and_arrays_as_json) {
  const auto payload = batch_of({book()});
  const BatchCount count = write(payload.view(), 1);
  EXPECT_EQ(count.added, 1U);
  EXPECT_TRUE(count.complete);
  EXPECT_EQ(entries(), (std::vector<Words>{{"XADD",     "md:orderbook",
                                            "MAXLEN",   "~",
                                            "1000",     "*",
                                            "type",     "orderbook",
                                            "exchange", "gmo",
                                            "symbol",   "BTC_JPY",
                                            "ts",       "1700000000000000001",
                                            "recv",     "1700000000000000002",
                                            "seq",      "1",
                                            "kind",     "snapshot",
                                            "book_seq", "42",
                                            "bids",     R"([["100","1.5"],["99.5","2"]])",
                                            "asks",     R"([["101","0.1"]])"}}));
}

TEST_F(BatchWriterTest, leaves_maxlen_out_where_nothing_is_trimmed) {
  Event trade = book();
  trade.body = Trade{"1", "2", Side::Sell, "x"};
  const auto payload = batch_of({trade});
  write(payload.view(), 1);
  EXPECT_EQ(entries()[0][2], "*");
}

TEST_F(BatchWriterTest, writes_the_event_as_msgpack_that_says_the_same) {
  const auto payload = batch_of({book(), book()});
  write(payload.view(), 2, 0, EntryFormat::Msgpack);
  const auto commands = entries();
  ASSERT_EQ(commands.size(), 2U);
  const auto whole = msgpack::unpack(payload.view().data(), payload.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    ASSERT_EQ(commands[i].size(), 8U);
    EXPECT_EQ(commands[i][6], "e");
    const auto event = msgpack::unpack(commands[i][7].data(), commands[i][7].size());
    EXPECT_EQ(event.get(), whole.get().via.array.ptr[i]);
  }
}

TEST_F(BatchWriterTest, publishes_types_and_keys_it_has_never_heard_of) {
  Payload payload(1);
  payload.event(8).text("n").value(-5).text("big").value(~std::uint64_t{0}).text("f").value(0.5);
  payload.text("yes").value(true).text("none").nil().text("bin").value(std::vector<char>{'a', 'b'});
  payload.text("deep").map(1).text("k").array(2).value(1).map(0).text("empty").array(0);
  EXPECT_EQ(write(payload.view(), 1).added, 1U);
  EXPECT_EQ(entries()[0], (Words{"XADD",     "md:news",
                                 "MAXLEN",   "~",
                                 "1000",     "*",
                                 "type",     "news",
                                 "exchange", "x",
                                 "symbol",   "S",
                                 "n",        "-5",
                                 "big",      "18446744073709551615",
                                 "f",        "0.5",
                                 "yes",      "true",
                                 "none",     "",
                                 "bin",      "ab",
                                 "deep",     R"({"k":[1,{}]})",
                                 "empty",    "[]"}));
}

TEST_F(BatchWriterTest, unknown_events_are_the_same_as_msgpack) {
  Payload payload(1);
  payload.event(4)
      .text("n")
      .value(-5)
      .text("f")
      .value(0.5)
      .text("deep")
      .map(1)
      .text("k")
      .array(2)
      .value(1)
      .nil();
  payload.text("no").value(false);
  write(payload.view(), 1, 0, EntryFormat::Msgpack);
  const auto event = msgpack::unpack(entries()[0][7].data(), entries()[0][7].size());
  const auto whole = msgpack::unpack(payload.view().data(), payload.view().size());
  EXPECT_EQ(event.get(), whole.get().via.array.ptr[0]);
}

TEST_F(BatchWriterTest, text_passes_byte_by_byte) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  Payload payload(1);
  payload.event(2).text("raw").text(every_byte).text("list").array(1).text("a\"\\\r\n\x01");
  write(payload.view(), 1);
  const Words words = entries()[0];
  EXPECT_EQ(words[13], every_byte);
  EXPECT_EQ(words[15], R"(["a\"\\\u000d\u000a\u0001"])");
}

TEST_F(BatchWriterTest, skips_the_events_that_were_taken_before) {
  Payload payload(3);
  for (const auto* symbol : {"A", "B", "C"}) payload.event(0, symbol);
  const BatchCount count = write(payload.view(), 3, 2);
  EXPECT_EQ(count.added, 1U);
  EXPECT_TRUE(count.complete);
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(entries()[0].back(), "C");
}

TEST_F(BatchWriterTest, counts_malformed_events_and_writes_those_around_them) {
  Payload payload(10);
  payload.event(0, "A");
  payload.value(7);                                                  // no map
  payload.array(2).text("a").array(1).value(1);                      // an array
  payload.map(2).text("type").text("t").text("exchange").text("x");  // no symbol
  payload.event(0, "");                                              // an empty symbol
  payload.event(1).value(5).text("a key that is a number");          // not a text for a key
  payload.map(3).text("type").value(1).text("exchange").text("x").text("symbol").text("S");  // type is a
                                                                                             // number
  payload.nil();
  payload.event(1).text("a date").extension();
  payload.event(0, "B");
  const BatchCount count = write(payload.view(), 10);
  EXPECT_EQ(count.added, 2U);
  EXPECT_EQ(count.malformed, 8U);
  EXPECT_TRUE(count.complete);
  const auto commands = entries();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].back(), "A");
  EXPECT_EQ(commands[1].back(), "B");
}

TEST_F(BatchWriterTest, a_key_that_is_a_list_makes_an_event_malformed_in_both_formats) {
  Payload payload(2);
  payload.event(1).array(1).text("key").text("value");
  payload.event(0, "B");
  for (const EntryFormat format : {EntryFormat::Fields, EntryFormat::Msgpack}) {
    transaction.clear();
    const BatchCount count = write(payload.view(), 2, 0, format);
    EXPECT_EQ(count.added, 1U);
    EXPECT_EQ(count.malformed, 1U);
    EXPECT_EQ(entries().size(), 1U);
  }
}

// Whatever is cut off, the events in front of the cut are whole and the rest is reported.
TEST_F(BatchWriterTest, a_payload_cut_anywhere_leaves_whole_commands) {
  Event trade = book();
  trade.body = Trade{"1", "2", Side::Sell, "x"};
  const auto payload = batch_of({trade, book(), trade});
  for (const EntryFormat format : {EntryFormat::Fields, EntryFormat::Msgpack}) {
    for (std::size_t cut = 0; cut < payload.size(); ++cut) {
      transaction.clear();
      const BatchCount count = write(payload.view().substr(0, cut), 3, 0, format);
      ASSERT_FALSE(count.complete) << cut;
      ASSERT_EQ(entries().size(), count.added) << cut;
      ASSERT_LT(count.added, 3U);
    }
  }
}

TEST_F(BatchWriterTest, a_count_that_disagrees_with_the_payload_is_reported) {
  Payload payload(2);
  payload.event(0, "A").event(0, "B");
  const BatchCount fewer = write(payload.view(), 3);
  EXPECT_FALSE(fewer.complete);
  EXPECT_EQ(fewer.added, 2U);
  transaction.clear();
  const BatchCount more = write(payload.view(), 1);
  EXPECT_FALSE(more.complete);
  EXPECT_EQ(more.added, 1U);
  EXPECT_EQ(entries().size(), 1U);
}

TEST_F(BatchWriterTest, a_payload_that_is_no_list_of_events_writes_nothing) {
  for (const std::string& payload : {std::string(), std::string("\x81\xa1k\x01"), std::string("\x01"),
                                     std::string("\xc1"), std::string("\xdd\xff\xff\xff\xff")}) {
    transaction.clear();
    const BatchCount count = write(payload, 1);
    EXPECT_FALSE(count.complete) << payload.size();
    EXPECT_EQ(count.added, 0U);
    EXPECT_TRUE(entries().empty());
  }
}

TEST_F(BatchWriterTest, nesting_deeper_than_events_do_is_refused) {
  Payload payload(1);
  payload.event(1).text("deep");
  for (int i = 0; i < 1000; ++i) payload.array(1);
  payload.nil();
  const BatchCount count = write(payload.view(), 1);
  EXPECT_FALSE(count.complete);
  EXPECT_EQ(count.added, 0U);
}

TEST_F(BatchWriterTest, keeps_when_the_frame_was_read_for_the_latency) {
  const auto payload = batch_of({book()});
  write(payload.view(), 1);
  ASSERT_EQ(transaction.entries().size(), 1U);
  EXPECT_EQ(transaction.entries()[0].recv, book().recv);
  EXPECT_EQ(transaction.entries()[0].stream->key->name, "md:orderbook");
}

TEST_F(BatchWriterTest, the_transaction_ends_with_the_cursors) {
  const auto payload = batch_of({book()});
  write(payload.view(), 1);
  transaction.set_cursor("gmo", {5, 1});
  transaction.set_cursor("bitflyer", {6, 9});
  transaction.set_cursor("gmo", {5, 2});
  EXPECT_FALSE(transaction.empty());
  transaction.seal({"md:cursor", "md:state"}, StreamLengths(), SteadyTime());
  const auto commands = read_commands(transaction.commands());
  ASSERT_EQ(commands.size(), transaction.command_count());
  EXPECT_EQ(commands[2], (Words{"HSET", "md:cursor", "bitflyer", "6:9", "gmo", "5:2"}));
  EXPECT_EQ(commands[3], Words{"EXEC"});
  transaction.clear();
  EXPECT_TRUE(transaction.empty());
  EXPECT_EQ(read_commands(transaction.commands()), std::vector<Words>{{"MULTI"}});
}

Event feed(FeedState state, std::string_view reason, std::int64_t since) {
  return {"gmo", "BTC_JPY", {}, {1}, FeedChange{EventType::Trade, state, {since}, reason}};
}

TEST_F(BatchWriterTest, the_last_state_of_a_feed_is_kept_in_both_formats) {
  const auto payload = batch_of({feed(FeedState::Gap, "a hole", 5), feed(FeedState::Live, "say \"go\"", 7)});
  for (const EntryFormat format : {EntryFormat::Fields, EntryFormat::Msgpack}) {
    transaction.clear();
    EXPECT_EQ(write(payload.view(), 2, 0, format).added, 2U);
    EXPECT_EQ(
        transaction.states(),
        (Transaction::States{{"gmo:trade:BTC_JPY", R"({"state":"live","since":7,"reason":"say \"go\""})"}}));
  }
}

TEST_F(BatchWriterTest, a_state_is_read_whatever_the_order_of_the_keys) {
  Payload payload(1);
  payload.map(7).text("state").text("stale").text("since").value(9).text("reason").text("r");
  payload.text("channel").text("ticker").text("symbol").text("S").text("exchange").text("x");
  payload.text("type").text("feed");
  EXPECT_EQ(write(payload.view(), 1).added, 1U);
  EXPECT_EQ(transaction.states(),
            (Transaction::States{{"x:ticker:S", R"({"state":"stale","since":9,"reason":"r"})"}}));
}

TEST_F(BatchWriterTest, only_feed_events_with_a_channel_and_a_state_have_a_state) {
  Payload payload(3);
  payload.event(2).text("channel").text("ticker").text("state").text("live");  // type news
  payload.map(4).text("type").text("feed").text("exchange").text("x").text("symbol").text("S");
  payload.text("state").text("live");
  payload.map(4).text("type").text("feed").text("exchange").text("x").text("symbol").text("S");
  payload.text("channel").text("live");
  EXPECT_EQ(write(payload.view(), 3).added, 3U);
  EXPECT_TRUE(transaction.states().empty());
}

TEST_F(BatchWriterTest, a_gap_of_its_own_has_no_number_and_leaves_the_state) {
  BatchWriter writer(streams, EntryFormat::Fields);
  const Stream& trade = *streams.find("trade", "gmo", "BTC_JPY");
  writer.write_gap(trade, {"cut", 3}, UnixNanos{42}, transaction);
  writer.write_gap(trade, {"cut", std::nullopt}, UnixNanos{42}, transaction);
  const auto commands = entries();
  ASSERT_EQ(commands.size(), 2U);
  const Words fields{"type",  "feed", "exchange", "gmo",     "symbol", "BTC_JPY", "ts",
                     "0",     "recv", "42",       "channel", "trade",  "state",   "gap",
                     "since", "42",   "reason",   "cut",     "lost",   "3"};
  EXPECT_EQ(commands[0][1], "md:feed");
  EXPECT_EQ(Words(commands[0].end() - 20, commands[0].end()), fields);
  EXPECT_EQ(Words(commands[1].end() - 18, commands[1].end()), Words(fields.begin(), fields.end() - 2));
  EXPECT_TRUE(transaction.states().empty());
}

}  // namespace
}  // namespace mdpipe::publisher
