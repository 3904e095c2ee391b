// Goal: docs/adding-an-exchange.md shows the events that its adapter makes of its frames. Method: the frames
// go through the adapter and the wire format, as in ws-reader --stdout, and the lines are compared with the
// page's.
#include <gtest/gtest.h>

#include <sstream>

#include "libshared/wire/event_codec.hpp"
#include "libshared/wire/json.hpp"
#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

constexpr UnixNanos kReadAt{1'700'000'001'000'000'000};

class EncodingSink final : public EventSink {
 public:
  EncodingSink() { wire::begin_batch(payload_); }

  void on_event(const Event& event) override { wire::encode_event(event, ++count_, payload_); }

  std::string as_ndjson() {
    wire::seal_batch(payload_, count_);
    wire::ByteBuffer lines;
    EXPECT_TRUE(wire::append_batch_as_ndjson(payload_.view(), lines));
    return std::string(lines.view());
  }

 private:
  wire::ByteBuffer payload_;
  std::uint32_t count_ = 0;
};

TEST(Guide, the_frames_of_the_page_become_the_events_of_the_page) {
  std::istringstream expected(load(MDPIPE_GUIDE_EVENTS));
  std::string names;
  std::getline(expected, names);
  std::istringstream frames(names);
  const auto adapter = make_adapter("example");
  EncodingSink sink;
  std::size_t count = 0;
  for (std::string name; frames >> name; ++count) {
    const FrameResult result = adapter->on_frame(frame_file("example", name), kReadAt, sink);
    EXPECT_EQ(result.kind, FrameKind::Events) << name << ": " << result.reason;
  }
  EXPECT_GT(count, 0U);
  EXPECT_EQ(sink.as_ndjson(), std::string(std::istreambuf_iterator<char>(expected), {}));
}

}  // namespace
}  // namespace mdpipe::venues
