#include "ws-reader/reader_metrics.hpp"

#include <limits>

#include "libshared/json/json_string.hpp"

namespace mdpipe::reader {
namespace {

using metrics::Metric;
namespace error_type = metrics::error_type;

constexpr std::size_t kSymbolsMax = 65'536;
constexpr auto kOffsetSpan = std::chrono::minutes(1);
constexpr std::int64_t kNoLatency = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kFrameKinds[] = {"events", "control", "api_error", "other", "rejected"};

std::size_t index(EventType type) { return static_cast<std::size_t>(type); }

}  // namespace

ReaderMetrics::ReaderMetrics(metrics::MetricsCollector& collector, std::string exchange,
                             const std::vector<venues::Subscription>& subscriptions)
    : collector_(collector),
      exchange_(std::move(exchange)),
      symbols_(kSymbolsMax),
      least_latency_ns_(kNoLatency) {
  const std::string& source = collector.options().source;
  for (std::size_t kind = 0; kind < frames_.size(); ++kind) {
    frames_[kind] = collector.series(Metric::FramesReceived, {exchange_, kFrameKinds[kind]});
  }
  for (const EventType type : kMarketTypes) {
    exchange_latency_[index(type)] = collector.series(Metric::ExchangeLatency, {exchange_, to_string(type)});
  }
  reconnects_ = collector.series(Metric::Reconnects, {exchange_});
  input_pauses_ = collector.series(Metric::InputPauses, {exchange_});
  connection_up_ = collector.series(Metric::ConnectionUp, {exchange_});
  unconfirmed_events_ = collector.series(Metric::UnconfirmedEvents, {source});
  unconfirmed_bytes_ = collector.series(Metric::UnconfirmedBytes, {source});
  spool_bytes_ = collector.series(Metric::SpoolBytes, {source});
  negative_latency_ = collector.series(Metric::NegativeLatency, {exchange_});
  clock_offset_ = collector.series(Metric::ClockOffset, {exchange_});
  begin(subscriptions);
}

void ReaderMetrics::begin(const std::vector<venues::Subscription>& subscriptions) {
  for (const auto& wanted : subscriptions) find_stream(wanted.channel, wanted.symbol);
}

void ReaderMetrics::end(const std::vector<venues::Subscription>& subscriptions) {
  for (const auto& unwanted : subscriptions) {
    if (const StreamSeries* stream = find_stream(unwanted.channel, unwanted.symbol))
      collector_.withdraw(stream->last_message);
  }
}

ReaderMetrics::StreamSeries ReaderMetrics::make_stream(EventType type, std::string_view symbol) {
  const std::string_view channel = to_string(type);
  return {collector_.series(Metric::MessagesReceived, {exchange_, channel, symbol}),
          collector_.series(Metric::ReceivedBytes, {exchange_, channel, symbol}),
          collector_.series(Metric::LastMessageTimestamp, {exchange_, channel, symbol})};
}

ReaderMetrics::StreamSeries* ReaderMetrics::find_stream(EventType type, std::string_view symbol) {
  const auto id = symbols_.find_or_add(symbol);
  if (!id) return nullptr;
  if (*id >= streams_.size()) {
    streams_.resize(*id + 1);
    made_.resize(*id + 1);
  }
  StreamSeries& stream = streams_[*id][index(type)];
  if (!made_[*id][index(type)]) {
    stream = make_stream(type, symbol);
    made_[*id][index(type)] = true;
  }
  return &stream;
}

void ReaderMetrics::event(const Event& event, std::size_t frame_bytes) {
  if (StreamSeries* stream = find_stream(event.type(), event.symbol)) {
    collector_.add(stream->messages);
    collector_.add(stream->bytes, frame_bytes);
    collector_.set(stream->last_message, static_cast<double>(event.recv.count) * 1e-9);
  }
  if (event.ts.count == 0) return;
  const auto latency = event.recv - event.ts;
  if (latency.count() < least_latency_ns_) least_latency_ns_ = latency.count();
  if (latency.count() < 0) {
    collector_.add(negative_latency_);
  } else {
    collector_.observe(exchange_latency_[index(event.type())], latency);
  }
}

void ReaderMetrics::update_clock_offset(SteadyTime now) {
  if (now - offset_since_ < kOffsetSpan) return;
  offset_since_ = now;
  if (least_latency_ns_ != kNoLatency)
    collector_.set(clock_offset_, static_cast<double>(least_latency_ns_) * 1e-9);
  least_latency_ns_ = kNoLatency;
}

void ReaderMetrics::reject(std::string_view type, std::string_view msg, std::string_view reason,
                           std::string_view sample) {
  collector_.increment_error(type);
  if (const auto suppressed = rejected_limit_.admit(steady_now())) {
    log::warn(msg, {{"error_type", type},
                    {"reason", reason},
                    {"bytes", sample.size()},
                    {"sample", printable_sample(sample)},
                    {"suppressed", *suppressed}});
  }
}

void ReaderMetrics::frame(const venues::FrameResult& result, std::string_view frame) {
  collector_.add(frames_[static_cast<std::size_t>(result.kind)]);
  if (result.kind == venues::FrameKind::Rejected) {
    const bool parse = result.rejection == venues::Rejection::Parse;
    reject(parse ? error_type::kParse : error_type::kUnknownChannel, "frame skipped", result.reason, frame);
  } else if (result.kind == venues::FrameKind::ApiError) {
    collector_.increment_error(error_type::kApi);
    if (const auto suppressed = api_error_limit_.admit(steady_now())) {
      log::warn("the exchange answered with an error",
                {{"frame", printable_sample(frame)}, {"suppressed", *suppressed}});
    }
  }
}

void ReaderMetrics::frame_too_large(std::size_t bytes, std::size_t bytes_max) {
  collector_.add(frames_[static_cast<std::size_t>(venues::FrameKind::Rejected)]);
  collector_.increment_error(error_type::kFrameTooLarge);
  if (const auto suppressed = too_large_limit_.admit(steady_now())) {
    log::warn("frame over --frame-bytes-max skipped",
              {{"bytes_at_least", bytes}, {"bytes_max", bytes_max}, {"suppressed", *suppressed}});
  }
}

void ReaderMetrics::binary_frame(std::string_view frame) {
  collector_.add(frames_[static_cast<std::size_t>(venues::FrameKind::Rejected)]);
  reject(error_type::kBinaryFrame, "binary frame skipped", "the exchanges send text", frame);
}

void ReaderMetrics::unknown_symbol(std::string_view symbol) {
  reject(error_type::kUnknownSymbol, "skipped event: symbol not in --symbols", "not in --symbols", symbol);
}

void ReaderMetrics::connected(bool again) {
  collector_.set(connection_up_, 1);
  if (again) collector_.add(reconnects_);
}

void ReaderMetrics::input_paused() { collector_.add(input_pauses_); }

void ReaderMetrics::disconnected() { collector_.set(connection_up_, 0); }

void ReaderMetrics::connection_failed() { collector_.increment_error(error_type::kConnection); }

void ReaderMetrics::dropped(EventType type, std::string_view symbol, metrics::DropReason reason,
                            std::uint64_t count) {
  collector_.add(collector_.series(Metric::DroppedEvents, {collector_.options().component, exchange_,
                                                           to_string(type), symbol, to_string(reason)}),
                 count);
  if (const auto suppressed = dropped_limit_.admit(steady_now())) {
    log::error("events dropped", {{"reason", to_string(reason)},
                                  {"channel", to_string(type)},
                                  {"symbol", symbol},
                                  {"count", count},
                                  {"suppressed", *suppressed}});
  }
}

// The symbols and types of these events can no longer be read.
void ReaderMetrics::spool_damaged(std::uint64_t events) {
  collector_.add(collector_.series(Metric::DroppedEvents, {collector_.options().component, exchange_, "", "",
                                                           to_string(metrics::DropReason::SpoolDamaged)}),
                 events);
  log::error("events were lost with a damaged spool", {{"events", events}});
}

void ReaderMetrics::book_dropped(std::string_view symbol, metrics::DropReason why, std::uint64_t count) {
  const auto id = symbols_.find_or_add(symbol);
  if (!id) return;
  if (*id >= book_drops_.size()) book_drops_.resize(*id + 1);
  auto& series = book_drops_[*id][static_cast<std::size_t>(why)];
  if (!series)
    series = collector_.series(
        Metric::DroppedEvents,
        {collector_.options().component, exchange_, to_string(EventType::OrderBook), symbol, to_string(why)});
  collector_.add(*series, count);
}

void ReaderMetrics::book_gap(std::string_view symbol, std::string_view reason) {
  if (const auto suppressed = book_gap_limit_.admit(steady_now())) {
    log::warn("order book unusable until its next snapshot",
              {{"symbol", symbol}, {"reason", reason}, {"suppressed", *suppressed}});
  }
}

void ReaderMetrics::book_recovered(std::string_view symbol) {
  if (const auto suppressed = book_recovered_limit_.admit(steady_now()))
    log::info("order book whole again", {{"symbol", symbol}, {"suppressed", *suppressed}});
}

void ReaderMetrics::rest_failed(std::string_view symbol, std::string_view reason,
                                std::chrono::milliseconds retry) {
  collector_.increment_error(error_type::kRest);
  if (const auto suppressed = rest_limit_.admit(steady_now())) {
    log::warn("order book not fetched", {{"error_type", error_type::kRest},
                                         {"symbol", symbol},
                                         {"reason", printable_sample(reason)},
                                         {"retry_ms", retry.count()},
                                         {"suppressed", *suppressed}});
  }
}

void ReaderMetrics::conflated(EventType type, std::string_view symbol, std::uint64_t count) {
  collector_.add(collector_.series(Metric::ConflatedEvents, {exchange_, to_string(type), symbol}), count);
}

void ReaderMetrics::outbox(const Outbox& outbox, std::uint64_t held) {
  collector_.set(unconfirmed_events_, static_cast<double>(outbox.unconfirmed_events() + held));
  collector_.set(unconfirmed_bytes_, static_cast<double>(outbox.unconfirmed_bytes()));
  collector_.set(spool_bytes_, static_cast<double>(outbox.spool_bytes()));
}

}  // namespace mdpipe::reader
