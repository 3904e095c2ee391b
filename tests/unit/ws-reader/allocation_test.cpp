// Goal: the way of a frame through ws-reader takes no memory from the heap once buffers have grown. Method:
// operator new is counted in this program while 10,000 frames of each exchange pass adapter, pipeline and
// outbox.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/unit/venues/frames.hpp"
#include "ws-reader/pipeline.hpp"

namespace {

std::size_t allocations = 0;

void* count_and_allocate(std::size_t bytes) {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void* count_and_allocate_or_throw(std::size_t bytes) {
  if (void* memory = count_and_allocate(bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// All forms that the library or a sanitizer could otherwise provide in part: what one of them takes another
// one frees.
void* operator new(std::size_t bytes) { return count_and_allocate_or_throw(bytes); }
void* operator new[](std::size_t bytes) { return count_and_allocate_or_throw(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return count_and_allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return count_and_allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace mdpipe::reader {
namespace {

constexpr int kFrames = 10'000;
constexpr int kFramesPerTurn = 3;  // events of one loop turn share a batch

// The market-data frames of one exchange through the parts they pass in the program.
class Way {
 public:
  explicit Way(const std::string& exchange)
      : adapter_(venues::make_adapter(exchange)),
        collector_({"ws-reader", exchange, exchange, true, 20'000}),
        metrics_(collector_, exchange, {}),
        outbox_(exchange, 1, {}),
        pipeline_({*adapter_, metrics_, outbox_, nullptr}, {}, [] {}) {
    for (auto& [name, frame] : venues::frame_files(exchange)) {
      if (venues::read_frame(*adapter_, frame).result.kind == venues::FrameKind::Events)
        frames_.push_back(frame);
    }
  }

  void run(int frames) {
    for (int i = 0; i < frames; ++i) {
      pipeline_.on_frame(frames_[static_cast<std::size_t>(i) % frames_.size()], venues::kReceived);
      if (i % kFramesPerTurn == 0) end_turn();
    }
  }

  [[nodiscard]] std::uint64_t events() const { return pipeline_.totals().events; }

 private:
  void end_turn() {
    outbox_.flush(steady_now());
    while (outbox_.next() != nullptr) {
      outbox_.mark_sent(SteadyTime());
      outbox_.confirm_sent();
    }
  }

  std::unique_ptr<venues::Adapter> adapter_;
  metrics::MetricsCollector collector_;
  ReaderMetrics metrics_;
  Outbox outbox_;
  Pipeline pipeline_;
  std::vector<std::string> frames_;
};

TEST(Way, of_a_frame_allocates_nothing_in_steady_state) {
  for (const std::string& exchange : venues::exchange_names()) {
    Way way(exchange);
    way.run(kFrames / 10);
    const std::size_t before = allocations;
    const std::uint64_t events_before = way.events();
    way.run(kFrames);
    const auto taken = allocations - before;
    const auto events = way.events() - events_before;
    RecordProperty(exchange + "_allocations", static_cast<int>(taken));
    EXPECT_GT(events, 0U) << exchange;
    EXPECT_EQ(taken, 0U) << exchange << ": " << taken << " allocations for " << events << " events";
  }
}

}  // namespace
}  // namespace mdpipe::reader
