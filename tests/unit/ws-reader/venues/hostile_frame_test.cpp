// What holds for every exchange and every frame: an incomplete frame gives no event, never a crash, and
// always a reason. The frames of tests/data are cut, altered and repeated.
#include <gmock/gmock.h>

#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

class HostileFrame : public testing::TestWithParam<std::string> {
 protected:
  void expect_rejected(std::string_view frame, const std::string& what) {
    const Outcome outcome = read_frame(*adapter_, frame);
    EXPECT_EQ(outcome.result.kind, FrameKind::Rejected) << what;
    EXPECT_FALSE(outcome.result.reason.empty()) << what;
    EXPECT_TRUE(outcome.events.empty()) << what;
  }

  std::unique_ptr<Adapter> adapter_ = make_adapter(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Venues, HostileFrame, testing::ValuesIn(exchange_names()),
                         [](const auto& test) { return test.param; });

TEST_P(HostileFrame, cut_anywhere_it_is_rejected) {
  for (const auto& [name, frame] : frame_files(GetParam())) {
    for (std::size_t bytes = 0; bytes < frame.size(); ++bytes) {
      expect_rejected(std::string_view(frame).substr(0, bytes),
                      name + " cut after byte " + std::to_string(bytes));
    }
  }
}

TEST_P(HostileFrame, something_behind_it_spoils_it) {
  for (const auto& [name, frame] : frame_files(GetParam())) {
    for (const char* tail : {"x", "}", "]", ",", "{}", " 1", "\n\"a\""})
      expect_rejected(frame + tail, name + " and " + tail);
    expect_rejected(frame + frame, name + " twice");
    expect_rejected(frame + std::string(1, '\0'), name + " and a zero byte");
  }
}

TEST_P(HostileFrame, white_space_around_it_does_not) {
  for (const auto& [name, frame] : frame_files(GetParam())) {
    const Outcome plain = read_frame(*adapter_, frame);
    const Outcome spaced = read_frame(*adapter_, " \r\n" + frame + "\t\n");
    EXPECT_EQ(spaced.result.kind, plain.result.kind) << name;
    EXPECT_EQ(spaced.events.size(), plain.events.size()) << name;
  }
}

// Any one byte replaced: there may be events, but only from a frame that says so.
TEST_P(HostileFrame, a_flipped_byte_never_gives_half_a_frame) {
  constexpr std::string_view kBytes("\0\"\\{}[],:0-eE.\x7f\x80\xff", 17);
  for (const auto& [name, original] : frame_files(GetParam())) {
    const std::size_t events = read_frame(*adapter_, original).events.size();
    std::string frame = original;
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (const char byte : kBytes) {
        frame[at] = byte;
        const Outcome outcome = read_frame(*adapter_, frame);
        const bool whole = outcome.result.kind == FrameKind::Events;
        EXPECT_TRUE(whole || outcome.events.empty()) << name << " byte " << at;
        EXPECT_LE(outcome.events.size(), events) << name << " byte " << at;
      }
      frame[at] = original[at];
    }
  }
}

TEST_P(HostileFrame, bytes_that_are_not_utf8_are_rejected) {
  for (const auto& [name, frame] : frame_files(GetParam())) {
    for (std::string bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
      std::string broken = frame;
      broken.insert(broken.find('"') + 1, bad);
      expect_rejected(broken, name);
    }
  }
}

TEST_P(HostileFrame, not_an_object_is_rejected) {
  for (const char* frame : {"", " ", "null", "true", "7", "-", "\"text\"", "{", "[", "[[", "[null]",
                            "{\"a\"}", "{\"a\":}", "nul", "{]", "[}"}) {
    expect_rejected(frame, std::string("'") + frame + "'");
  }
}

TEST_P(HostileFrame, deep_nesting_is_survived) {
  for (const std::size_t depth : {100U, 1'000U, 5'000U, 200'000U}) {
    const std::string nested = std::string(depth, '[') + std::string(depth, ']');
    expect_rejected(nested, "nested arrays");
    expect_rejected(std::string(depth, '['), "open arrays");
    for (const auto& [name, frame] : frame_files(GetParam())) {
      if (frame.front() != '{') continue;
      const Outcome outcome = read_frame(*adapter_, R"({"unknown":)" + nested + "," + frame.substr(1));
      EXPECT_TRUE(outcome.result.kind == FrameKind::Events || outcome.events.empty()) << name;
    }
  }
}

// Every string and number in turn becomes something it must not be.
TEST_P(HostileFrame, values_of_another_type_never_pass_as_numbers) {
  const std::string digits(400, '7');
  const std::string bad[] = {"{}", "[]", "true", digits, "\"" + digits + "\"", "\"1e\"", "\"NaN\"",
                             "-",  "01", "1.",   "0x1F", "\"\\u0000\""};
  for (const auto& [name, original] : frame_files(GetParam())) {
    for (std::size_t colon = original.find(':'); colon != std::string::npos;
         colon = original.find(':', colon + 1)) {
      const std::size_t end = original.find_first_of(",}", colon);
      for (const std::string& value : bad) {
        std::string frame = original;
        frame.replace(colon + 1, end - colon - 1, value);
        const Outcome outcome = read_frame(*adapter_, frame);
        EXPECT_TRUE(outcome.result.kind == FrameKind::Events || outcome.events.empty()) << frame;
        for (const Seen& event : outcome.events) {
          for (const std::string& text :
               {event.price, event.size, event.bid, event.ask, event.last, event.volume}) {
            EXPECT_LE(text.size(), 64U) << name;
            EXPECT_EQ(text.find_first_not_of("0123456789.-+eE"), std::string::npos) << name << ": " << text;
          }
        }
      }
    }
  }
}

// The state an adapter keeps between frames is memory only: a bad frame leaves nothing behind.
TEST_P(HostileFrame, a_good_frame_after_a_bad_one_reads_as_ever) {
  for (const auto& [name, frame] : frame_files(GetParam())) {
    const Outcome before = read_frame(*make_adapter(GetParam()), frame);
    read_frame(*adapter_, std::string_view(frame).substr(0, frame.size() - 1));
    const Outcome after = read_frame(*adapter_, frame);
    EXPECT_EQ(after.result.kind, before.result.kind) << name;
    ASSERT_EQ(after.events.size(), before.events.size()) << name;
    for (std::size_t i = 0; i < after.events.size(); ++i) {
      EXPECT_EQ(after.events[i].bids, before.events[i].bids) << name;
      EXPECT_EQ(after.events[i].asks, before.events[i].asks) << name;
      EXPECT_EQ(after.events[i].price, before.events[i].price) << name;
    }
  }
}

}  // namespace
}  // namespace mdpipe::venues
