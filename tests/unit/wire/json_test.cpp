#include "libshared/wire/json.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <msgpack.hpp>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::wire {
namespace {

// Packs with msgpack-c what `write` puts there.
template <typename Write>
std::string packed(Write&& write) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  write(packer);
  return {buffer.data(), buffer.size()};
}

std::string lines_of(std::string_view payload) {
  ByteBuffer lines;
  EXPECT_TRUE(append_batch_as_ndjson(payload, lines));
  return std::string(lines.view());
}

bool accepts(std::string_view payload) {
  ByteBuffer lines;
  return append_batch_as_ndjson(payload, lines);
}

TEST(Ndjson, every_event_is_a_line_and_the_last_one_has_its_end_too) {
  const Level bids[] = {{"10", "1"}, {"9", "2"}};
  ByteBuffer bytes;
  begin_batch(bytes);
  encode_event({"gmo", "BTC", UnixNanos{1}, UnixNanos{2}, Trade{"5.0", "0.10", Side::Buy, "7"}}, 3, bytes);
  encode_event({"gmo", "BTC", UnixNanos{1}, UnixNanos{2}, OrderBook{BookKind::Delta, {bids, 2}, {}, 8}}, 4,
               bytes);
  seal_batch(bytes, 2);
  EXPECT_EQ(
      lines_of(bytes.view()),
      R"({"type":"trade","exchange":"gmo","symbol":"BTC","ts":1,"recv":2,"seq":3,"price":"5.0","size":"0.10","side":"buy","id":"7"})"
      "\n"
      R"({"type":"orderbook","exchange":"gmo","symbol":"BTC","ts":1,"recv":2,"seq":4,"kind":"delta","book_seq":8,"bids":[["10","1"],["9","2"]],"asks":[]})"
      "\n");
}

TEST(Ndjson, a_batch_of_one_and_of_none) {
  EXPECT_EQ(lines_of("\x91\x81\xa1k\x01"), "{\"k\":1}\n");
  EXPECT_EQ(lines_of("\x91\x80"), "{}\n");
  EXPECT_EQ(lines_of("\x90"), "");
}

TEST(Ndjson, appends_to_what_is_there) {
  ByteBuffer lines;
  lines.append("before\n");
  EXPECT_TRUE(append_batch_as_ndjson("\x92\x81\xa1k\x01\x81\xa1k\x02", lines));
  EXPECT_EQ(lines.view(), "before\n{\"k\":1}\n{\"k\":2}\n");
}

TEST(Ndjson, writes_every_kind_of_value) {
  const std::string payload = packed([](auto& packer) {
    packer.pack_array(1);
    packer.pack_array(9);
    packer.pack_nil();
    packer.pack(true);
    packer.pack(std::numeric_limits<std::uint64_t>::max());
    packer.pack(std::numeric_limits<std::int64_t>::min());
    packer.pack(1.5);
    packer.pack(std::numeric_limits<double>::quiet_NaN());
    packer.pack(std::numeric_limits<float>::infinity());
    packer.pack(std::string("quote \" backslash \\ line \n end"));
    packer.pack(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
  });
  EXPECT_EQ(
      lines_of(payload),
      R"([null,true,18446744073709551615,-9223372036854775808,1.5,null,null,"quote \" backslash \\ line \u000a end",{"a":[1,2],"b":[]}])"
      "\n");
}

TEST(Ndjson, refuses_what_is_not_one_array) {
  for (const std::string& payload : {std::string(), std::string("\x01"), std::string("\xa1k"),
                                     std::string("\xc0"), std::string("\x80"), std::string("\x81\xa1k\x01"),
                                     std::string("\x90\x90"), std::string("\xc1"), std::string("\x92\x80")}) {
    EXPECT_FALSE(accepts(payload)) << testing::PrintToString(payload);
  }
}

TEST(Ndjson, refuses_keys_that_json_has_not) {
  EXPECT_FALSE(accepts("\x91\x81\x01\x02"));
  EXPECT_FALSE(accepts("\x91\x81\x90\x02"));
  EXPECT_FALSE(accepts("\x91\x81\xc0\x02"));
}

TEST(Ndjson, refuses_deep_nesting_and_sizes_that_are_lies) {
  EXPECT_FALSE(accepts(std::string(100'000, '\x91') + "\x90"));
  EXPECT_FALSE(accepts(std::string("\xdd\xff\xff\xff\xff", 5)));
  EXPECT_FALSE(accepts(std::string("\x91\xdb\xff\xff\xff\xff", 6)));
}

TEST(Ndjson, cut_anywhere_it_is_refused) {
  ByteBuffer bytes;
  begin_batch(bytes);
  encode_event({"gmo", "BTC", UnixNanos{1}, UnixNanos{2}, Trade{"5.0", "0.10", Side::Buy, "7"}}, 3, bytes);
  seal_batch(bytes, 1);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(accepts(bytes.view().substr(0, size))) << size;
  EXPECT_FALSE(accepts(std::string(bytes.view()) + "\xc0"));
}

}  // namespace
}  // namespace mdpipe::wire
