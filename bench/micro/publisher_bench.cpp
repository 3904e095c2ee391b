// md-publisher: from a batch of msgpack events to the commands of a transaction, and reading Redis's answer.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/frames.hpp"
#include "libshared/wire/event_codec.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/batch_writer.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::bench {
namespace {

// Batches as ws-reader makes them from the feed's frames.
class Batches final : private venues::EventSink {
 public:
  explicit Batches(const Shape& shape) {
    const auto adapter = venues::make_adapter("gmo");
    for (const std::string& frame : gmo_frames(shape)) {
      if (count_ == 0) wire::begin_batch(payload_);
      adapter->on_frame(frame, kReceived, *this);
      if (count_ < kBatchEvents) continue;
      wire::seal_batch(payload_, count_);
      payloads_.emplace_back(payload_.view());
      count_ = 0;
    }
  }
  const std::string& next() { return payloads_[next_ = (next_ + 1) % payloads_.size()]; }

 private:
  void on_event(const Event& event) override {
    wire::encode_event(event, ++seq_, payload_);
    ++count_;
  }

  wire::ByteBuffer payload_;
  std::uint32_t count_ = 0;
  std::uint64_t seq_ = 0;
  std::vector<std::string> payloads_;
  std::size_t next_ = 0;
};

void write_batches(benchmark::State& state, const Shape& shape) {
  Batches batches(shape);
  metrics::MetricsCollector collector({"md-publisher", "p", ""});
  publisher::StreamTable streams(publisher::StreamNaming::parse("md:{type}").value(),
                                 publisher::TrimPolicy::parse("100000,orderbook=20000").value(), collector);
  publisher::BatchWriter writer(streams, publisher::EntryFormat::Fields);
  const publisher::StreamLengths lengths;
  publisher::Transaction transaction;
  std::int64_t events = 0, bytes = 0;
  while (state.KeepRunningBatch(kBatchEvents)) {
    transaction.clear();
    const auto result = writer.write(batches.next(), 0, kBatchEvents, transaction);
    transaction.set_cursor("gmo", {77, 1});
    transaction.seal({"md:cursor", "md:state"}, lengths, SteadyTime(std::chrono::hours(1)));
    if (!result.complete || result.malformed > 0) return state.SkipWithError("a batch was not taken whole");
    events += result.added;
    bytes += static_cast<std::int64_t>(transaction.commands().size());
  }
  state.SetItemsProcessed(events);
  state.SetBytesProcessed(bytes);
}

void batch_to_resp_by_symbols(benchmark::State& state) {
  write_batches(state, {static_cast<std::size_t>(state.range(0)), 20, {}});
}
BENCHMARK(batch_to_resp_by_symbols)->Arg(10)->Arg(100)->Arg(1000);
void batch_to_resp_by_depth(benchmark::State& state) {
  write_batches(state, {10, static_cast<std::size_t>(state.range(0)), {}});
}
BENCHMARK(batch_to_resp_by_depth)->Arg(10)->Arg(20)->Arg(100)->Arg(1000);

// +OK, +QUEUED for each command, and EXEC's array of stream ids; the time is by entry.
void read_reply(benchmark::State& state) {
  std::string bytes = "+OK\r\n";
  for (std::uint32_t i = 0; i < kBatchEvents + 1; ++i) bytes += "+QUEUED\r\n";
  bytes += "*" + std::to_string(kBatchEvents + 1) + "\r\n";
  for (std::uint32_t i = 0; i < kBatchEvents; ++i) bytes += "$17\r\n1790133947766-100\r\n";
  bytes += ":0\r\n";
  publisher::ReplyReader reader;
  std::int64_t entries = 0;
  while (state.KeepRunningBatch(kBatchEvents)) {
    reader.feed(bytes);
    std::uint32_t replies = 0;
    while (reader.next() == publisher::ReplyReader::Next::Reply) ++replies;
    if (replies != kBatchEvents + 3) return state.SkipWithError("replies are missing");
    entries += kBatchEvents;
  }
  state.SetItemsProcessed(entries);
}
BENCHMARK(read_reply);

}  // namespace
}  // namespace mdpipe::bench
