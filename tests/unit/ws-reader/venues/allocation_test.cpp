// Goal: reading market data takes no memory from the heap once the buffers have grown. Method: operator new
// is counted in this program while frames that were seen before are read again.
#include <gtest/gtest.h>

#include "tests/support/counting_new.hpp"
#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

class CountingSink final : public EventSink {
 public:
  void on_event(const Event&) override { ++events; }
  std::size_t events = 0;
};

TEST(Adapters, read_market_data_without_allocating) {
  for (const std::string& exchange : exchange_names()) {
    const auto adapter = make_adapter(exchange);
    for (const auto& [name, frame] : frame_files(exchange)) {
      CountingSink sink;
      if (adapter->on_frame(frame, kReceived, sink).kind != FrameKind::Events) continue;
      const std::size_t before = allocations;
      adapter->on_frame(frame, kReceived, sink);
      EXPECT_EQ(allocations - before, 0U) << exchange << " " << name;
    }
  }
}

}  // namespace
}  // namespace mdpipe::venues
