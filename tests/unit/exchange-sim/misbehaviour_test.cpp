#include "tools/exchange-sim/misbehaviour.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "tools/exchange-sim/bomb.hpp"
#include "tools/exchange-sim/garbage.hpp"

namespace mdpipe::sim {
namespace {

TEST(FrameRules, act_at_their_count) {
  MisbehaviourOptions config;
  config.garbage_every = 2;
  config.close_after = 3;
  FrameRules rules(config);
  EXPECT_FALSE(rules.after_sending().garbage);
  EXPECT_TRUE(rules.after_sending().garbage);
  const Aftermath third = rules.after_sending();
  EXPECT_TRUE(third.close);
  EXPECT_FALSE(third.garbage);
  EXPECT_FALSE(rules.after_sending().close) << "once";
}

TEST(FrameRules, silence_swallows_all_or_one_symbol) {
  MisbehaviourOptions config;
  config.silence_symbol = "BTC";
  config.silence_symbol_after = 1;
  config.silence_after = 2;
  FrameRules rules(config);
  EXPECT_TRUE(rules.admits("BTC"));
  rules.after_sending();
  EXPECT_FALSE(rules.admits("BTC"));
  EXPECT_TRUE(rules.admits("ETH"));
  rules.after_sending();
  EXPECT_FALSE(rules.admits("ETH"));
}

TEST(FrameRules, spoil_every_so_many_book_frames) {
  MisbehaviourOptions config;
  config.skip_delta_every = 4;
  config.cross_book_every = 2;
  config.wrong_mid_every = 3;
  FrameRules rules(config);
  std::vector<BookFault> faults;
  for (int i = 0; i < 6; ++i) faults.push_back(rules.next_book_frame());
  EXPECT_EQ(faults, (std::vector<BookFault>{BookFault::None, BookFault::Cross, BookFault::WrongMid,
                                            BookFault::Skip, BookFault::None, BookFault::Cross}));
}

TEST(Garbage, goes_through_all_kinds_in_turn) {
  Garbage garbage(garbage_kinds(), "{}");
  const std::string good = R"({"time":"2026-01-01","price":123.5})";
  std::vector<std::string> kinds;
  for (std::size_t i = 0; i < garbage_kinds().size(); ++i) {
    const GarbageFrame frame = garbage.next(good);
    kinds.emplace_back(frame.kind);
    EXPECT_NE(frame.payload, good) << frame.kind;
    if (frame.kind == "long-number") {
      EXPECT_THAT(frame.payload, testing::HasSubstr(R"("price":777777)"));
    }
  }
  EXPECT_EQ(kinds, garbage_kinds());
}

TEST(WebSocketFrame, lengths_have_three_forms) {
  std::string frame;
  append_websocket_frame(Opcode::Text, std::string(125, 'x'), false, frame);
  EXPECT_EQ(frame.substr(0, 2), "\x81\x7d");
  frame.clear();
  append_websocket_frame(Opcode::Text, std::string(126, 'x'), false, frame);
  EXPECT_EQ(frame.substr(0, 4), std::string("\x81\x7e\x00\x7e", 4));
  frame.clear();
  append_websocket_frame(Opcode::Binary, std::string(65'536, 'x'), true, frame);
  EXPECT_EQ(frame.substr(0, 10), std::string("\xc2\x7f\0\0\0\0\0\x01\0\0", 10));
}

TEST(DeflateBomb, inflates_to_the_size_asked_for) {
  constexpr std::size_t kSize = 3'000'000;
  const std::string frame = deflate_bomb(kSize);
  ASSERT_LT(frame.size(), kSize / 100);
  constexpr std::size_t kHeader = 4;  // a payload of 126 to 65535 bytes
  std::string payload = frame.substr(kHeader) + std::string("\x00\x00\xff\xff", 4);
  std::string out(kSize + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, -15), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(payload.data());
  stream.avail_in = static_cast<uInt>(payload.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  EXPECT_EQ(stream.total_out, kSize);
  inflateEnd(&stream);
}

}  // namespace
}  // namespace mdpipe::sim
