#pragma once
// The metrics of ws-reader. One function for each notable event counts it and, if a person should know, logs
// it with a sample, at most once a second.
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/intern/string_index.hpp"
#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/drop_reason.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

class ReaderMetrics {
 public:
  // Makes the series of `subscriptions` at once, so that they start with the value 0.
  ReaderMetrics(metrics::MetricsCollector& collector, std::string exchange,
                const std::vector<venues::Subscription>& subscriptions);

  // Subscriptions begin and end while the program runs. The counters of ended ones stay.
  void begin(const std::vector<venues::Subscription>& subscriptions);
  void end(const std::vector<venues::Subscription>& subscriptions);

  void frame(const venues::FrameResult& result, std::string_view frame);
  void frame_too_large(std::size_t bytes, std::size_t bytes_max);
  void binary_frame(std::string_view frame);
  void unknown_symbol(std::string_view symbol);

  // `frame_bytes` is the event's share of its frame.
  void event(const Event& event, std::size_t frame_bytes);

  void connected(bool again);
  void input_paused();
  void disconnected();
  void connection_failed();
  // Events that were counted as received and will never reach Redis.
  void dropped(EventType type, std::string_view symbol, metrics::DropReason reason, std::uint64_t count);
  void spool_damaged(std::uint64_t events);
  // Order book events that BookGuard dropped; book_gap() logs the consequence.
  void book_dropped(std::string_view symbol, metrics::DropReason why, std::uint64_t count);
  void book_gap(std::string_view symbol, std::string_view reason);
  void book_recovered(std::string_view symbol);
  // A book could not be fetched over HTTP; the fetch is repeated after `retry`.
  void rest_failed(std::string_view symbol, std::string_view reason, std::chrono::milliseconds retry);
  void conflated(EventType type, std::string_view symbol, std::uint64_t count);
  // `held`: events that wait outside the outbox, for a snapshot or until Redis has caught up.
  void outbox(const Outbox& outbox, std::uint64_t held = 0);

  // Publishes the smallest exchange latency of the last minute.
  void update_clock_offset(SteadyTime now);

 private:
  struct StreamSeries {
    metrics::Series messages, bytes, last_message;
  };
  StreamSeries make_stream(EventType type, std::string_view symbol);
  StreamSeries* find_stream(EventType type, std::string_view symbol);
  void reject(std::string_view error_type, std::string_view msg, std::string_view reason,
              std::string_view sample);

  metrics::MetricsCollector& collector_;
  std::string exchange_;
  StringIndex symbols_;
  std::vector<std::array<StreamSeries, std::size(kMarketTypes)>> streams_;  // by symbol, then type
  std::vector<std::array<bool, std::size(kMarketTypes)>> made_;
  std::vector<std::array<std::optional<metrics::Series>, metrics::kDropReasons.size()>>
      book_drops_;                         // by symbol
  std::array<metrics::Series, 5> frames_;  // by FrameKind
  std::array<metrics::Series, std::size(kMarketTypes)> exchange_latency_;
  metrics::Series reconnects_, input_pauses_, connection_up_, unconfirmed_events_, unconfirmed_bytes_,
      spool_bytes_;
  metrics::Series negative_latency_, clock_offset_;
  log::RateLimit rejected_limit_, too_large_limit_, api_error_limit_, dropped_limit_, book_gap_limit_,
      book_recovered_limit_, rest_limit_;
  std::int64_t least_latency_ns_;
  SteadyTime offset_since_{};
};

}  // namespace mdpipe::reader
