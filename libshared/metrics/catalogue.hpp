#pragma once
// Every metric of mdpipe: name, kind, labels, help. The collectors and /metrics use this table; a test
// compares it with the man pages and docs/metrics.md.
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace mdpipe::metrics {

// A StateSet is sent as one gauge, the number of the state, and shown as one 0/1 gauge for each state.
enum class Kind { Counter, Gauge, Histogram, StateSet };

enum class Metric {
  MessagesReceived,
  ReceivedBytes,
  FramesReceived,
  MessagesPublished,
  PublishedBytes,
  Errors,
  Reconnects,
  Resubscribes,
  ConnectionsRefused,
  InputPauses,
  DroppedEvents,
  ConflatedEvents,
  RedisLostEvents,
  PublishLatency,
  ExchangeLatency,
  NegativeLatency,
  ClockOffset,
  LastMessageTimestamp,
  FeedState,
  FeedStateSince,
  ConnectionUp,
  RedisUp,
  UnconfirmedEvents,
  UnconfirmedBytes,
  SpoolBytes,
  RedisBufferBytes,
  RedisMemoryUsed,
  RedisMemoryMax,
  StreamBytes,
  RedisRefusals,
  StreamEntriesRemoved,
  MetricSeries,
  MetricSeriesDropped,
  MetricDeltasLost,
  ForwardedPoints,
  ForwardErrors,
  ForwardDroppedPoints,
  AlertFiring,
  AlertNotifications,
  HttpRequests,
  HttpAnswersCut,
  BuildInfo,
  ComponentUp,
  ComponentStopped,
  ComponentLastSeen,
  ProcessCpuSeconds,
  ProcessResidentBytes,
  ProcessVirtualBytes,
  ProcessOpenFds,
  ProcessMaxFds,
  ProcessStartTime,
};

inline constexpr std::size_t kLabelsMax = 5;

struct MetricInfo {
  Metric metric;
  std::string_view name;
  Kind kind;
  std::array<std::string_view, kLabelsMax> labels;  // "" if there are fewer
  std::string_view help;

  [[nodiscard]] constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < labels.size() && !labels[count].empty()) ++count;
    return count;
  }
};

// In the order of Metric.
inline constexpr std::array kCatalogue = {
    MetricInfo{Metric::MessagesReceived,
               "collector_messages_received_total",
               Kind::Counter,
               {"exchange", "channel", "symbol"},
               "Events read from the exchange."},
    MetricInfo{Metric::ReceivedBytes,
               "collector_received_bytes_total",
               Kind::Counter,
               {"exchange", "channel", "symbol"},
               "Bytes of the frames that contained the received events."},
    MetricInfo{Metric::FramesReceived,
               "collector_frames_received_total",
               Kind::Counter,
               {"exchange", "kind", ""},
               "WebSocket frames, by kind: events, control, api_error, other, rejected."},
    MetricInfo{Metric::MessagesPublished,
               "collector_messages_published_total",
               Kind::Counter,
               {"exchange", "stream", "symbol"},
               "Events that Redis has confirmed."},
    MetricInfo{Metric::PublishedBytes,
               "collector_published_bytes_total",
               Kind::Counter,
               {"exchange", "stream", "symbol"},
               "Bytes of the XADD commands for the published events."},
    MetricInfo{Metric::Errors,
               "collector_errors_total",
               Kind::Counter,
               {"component", "error_type", ""},
               "Errors, by type; each type is logged at most once a second."},
    MetricInfo{Metric::Reconnects,
               "collector_reconnects_total",
               Kind::Counter,
               {"exchange", "", ""},
               "Connections to the exchange that were re-established after a disconnect."},
    MetricInfo{Metric::Resubscribes,
               "collector_resubscribes_total",
               Kind::Counter,
               {"exchange", "channel", ""},
               "Silent feeds that were resubscribed individually while other feeds still had data."},
    MetricInfo{Metric::ConnectionsRefused,
               "collector_connections_refused_total",
               Kind::Counter,
               {"component", "socket", ""},
               "Attempts to connect to an encrypted endpoint (events, positions, metrics, tap) with a key "
               "that is not in --curve-peers-dir."},
    MetricInfo{Metric::InputPauses,
               "collector_input_pauses_total",
               Kind::Counter,
               {"exchange", "", ""},
               "Pauses in reading from the exchange, at most half a second each, because events came faster "
               "than Redis accepted them."},
    MetricInfo{Metric::DroppedEvents,
               "collector_dropped_events_total",
               Kind::Counter,
               {"component", "exchange", "channel", "symbol", "reason"},
               "Events that were read but never reached Redis, by reason."},
    MetricInfo{Metric::ConflatedEvents,
               "collector_conflated_events_total",
               Kind::Counter,
               {"exchange", "channel", "symbol"},
               "Events replaced by a newer event of the same symbol while Redis was behind (--when-behind)."},
    MetricInfo{
        Metric::RedisLostEvents,
        "collector_redis_lost_events_total",
        Kind::Counter,
        {"source"},
        "Events that Redis had confirmed but no longer holds: Redis was emptied, failed over or restored."},
    MetricInfo{Metric::PublishLatency,
               "collector_publish_latency_seconds",
               Kind::Histogram,
               {"exchange", "stream", ""},
               "Time from reading the frame off the socket to Redis's confirmation of the event."},
    MetricInfo{Metric::ExchangeLatency,
               "collector_exchange_latency_seconds",
               Kind::Histogram,
               {"exchange", "channel", ""},
               "Time from the exchange's timestamp to reading the frame off the socket; includes the "
               "difference between the clocks."},
    MetricInfo{Metric::NegativeLatency,
               "collector_negative_latency_total",
               Kind::Counter,
               {"exchange", "", ""},
               "Latencies below zero: the clocks of the exchange and of this host disagree."},
    MetricInfo{Metric::ClockOffset,
               "collector_clock_offset_seconds",
               Kind::Gauge,
               {"exchange", "", ""},
               "Smallest exchange latency of the last minute; below zero, this host's clock is behind the "
               "exchange's clock."},
    MetricInfo{Metric::LastMessageTimestamp,
               "collector_last_message_timestamp_seconds",
               Kind::Gauge,
               {"exchange", "channel", "symbol"},
               "Unix time at which the last event was read."},
    MetricInfo{Metric::FeedState,
               "collector_feed_state",
               Kind::StateSet,
               {"exchange", "channel", "symbol"},
               "1 for the current state of the feed, 0 for the other states: pending, live, quiet, stale, "
               "gap, down."},
    MetricInfo{Metric::FeedStateSince,
               "collector_feed_state_since_timestamp_seconds",
               Kind::Gauge,
               {"exchange", "channel", "symbol"},
               "Unix time at which the current state of the feed began."},
    MetricInfo{Metric::ConnectionUp,
               "collector_connection_up",
               Kind::Gauge,
               {"exchange", "", ""},
               "1 while the WebSocket to the exchange is open, else 0."},
    MetricInfo{Metric::RedisUp,
               "collector_redis_up",
               Kind::Gauge,
               {"component", "", ""},
               "1 while Redis answers, else 0."},
    MetricInfo{Metric::UnconfirmedEvents,
               "collector_unconfirmed_events",
               Kind::Gauge,
               {"source", "", ""},
               "Events that the reader keeps because Redis has not confirmed them yet."},
    MetricInfo{Metric::UnconfirmedBytes,
               "collector_unconfirmed_bytes",
               Kind::Gauge,
               {"source", "", ""},
               "Memory used by the reader's unconfirmed events."},
    MetricInfo{Metric::SpoolBytes,
               "collector_spool_bytes",
               Kind::Gauge,
               {"source", "", ""},
               "Disk space used by the reader's unconfirmed events."},
    MetricInfo{Metric::RedisBufferBytes,
               "collector_redis_buffer_bytes",
               Kind::Gauge,
               {"source", "", ""},
               "Bytes of Redis commands that were sent or are waiting, and are not answered yet."},
    MetricInfo{Metric::RedisMemoryUsed,
               "collector_redis_memory_used_bytes",
               Kind::Gauge,
               {"component", "", ""},
               "Memory that Redis uses, as Redis reports it."},
    MetricInfo{Metric::RedisMemoryMax,
               "collector_redis_memory_max_bytes",
               Kind::Gauge,
               {"component", "", ""},
               "Redis's maxmemory, the limit at which it refuses writes; 0 if there is no limit."},
    MetricInfo{Metric::StreamBytes,
               "collector_stream_bytes",
               Kind::Gauge,
               {"component", "", ""},
               "Memory of the streams written to since the start; only with --stream-bytes-max."},
    MetricInfo{Metric::RedisRefusals,
               "collector_redis_refusals_total",
               Kind::Counter,
               {"component", "reason", ""},
               "Commands that Redis answered with an error, by kind of error."},
    MetricInfo{Metric::StreamEntriesRemoved,
               "collector_stream_entries_removed_total",
               Kind::Counter,
               {"stream", "", ""},
               "Entries that another client deleted or trimmed from the stream; a lower bound."},
    MetricInfo{Metric::MetricSeries,
               "collector_metric_series",
               Kind::Gauge,
               {"component", "", ""},
               "Metric series of the component."},
    MetricInfo{Metric::MetricSeriesDropped,
               "collector_metric_series_dropped_total",
               Kind::Counter,
               {"component", "", ""},
               "Times a new series was refused because the limit was reached."},
    MetricInfo{
        Metric::MetricDeltasLost,
        "collector_metric_deltas_lost_total",
        Kind::Counter,
        {"component", "", ""},
        "Metric messages that never reached metrics-agent; the next full message corrects the totals."},
    MetricInfo{Metric::ForwardedPoints,
               "collector_forwarded_points_total",
               Kind::Counter,
               {"destination", "", ""},
               "Data points that a destination (statsd, otlp, emf) has accepted."},
    MetricInfo{Metric::ForwardErrors,
               "collector_forward_errors_total",
               Kind::Counter,
               {"destination", "reason", ""},
               "Temporary failures to send to a destination; the data is kept and sent later."},
    MetricInfo{Metric::ForwardDroppedPoints,
               "collector_forward_dropped_points_total",
               Kind::Counter,
               {"destination", "reason", ""},
               "Data points that a destination will never receive, by reason."},
    MetricInfo{Metric::AlertFiring,
               "collector_alert_firing",
               Kind::Gauge,
               {"alert", "", ""},
               "1 while the alert of metrics-agent fires, else 0."},
    MetricInfo{Metric::AlertNotifications,
               "collector_alert_notifications_total",
               Kind::Counter,
               {"result", "", ""},
               "Messages to the alert webhook, by result: sent, failed, rate_limited, dropped."},
    MetricInfo{Metric::HttpRequests,
               "collector_http_requests_total",
               Kind::Counter,
               {"path", "code", ""},
               "Requests that metrics-agent answered, by path (/metrics, /healthz, other) and status code."},
    MetricInfo{
        Metric::HttpAnswersCut,
        "collector_http_answers_cut_total",
        Kind::Counter,
        {"", "", ""},
        "HTTP answers of metrics-agent that were cut off because the client did not read them in time."},
    MetricInfo{Metric::BuildInfo,
               "collector_build_info",
               Kind::Gauge,
               {"component", "version", "commit"},
               "Always 1; the labels name the running build."},
    MetricInfo{Metric::ComponentUp,
               "collector_component_up",
               Kind::Gauge,
               {"component", "source", ""},
               "1 while the component sends metrics, else 0."},
    MetricInfo{Metric::ComponentStopped,
               "collector_component_stopped",
               Kind::Gauge,
               {"component", "source", ""},
               "1 while the component is down because it was asked to stop, else 0."},
    MetricInfo{Metric::ComponentLastSeen,
               "collector_component_last_seen_timestamp_seconds",
               Kind::Gauge,
               {"component", "source", ""},
               "Unix time at which the component last sent metrics."},
    MetricInfo{Metric::ProcessCpuSeconds,
               "process_cpu_seconds_total",
               Kind::Counter,
               {"component", "source", ""},
               "Processor time used, user and system."},
    MetricInfo{Metric::ProcessResidentBytes,
               "process_resident_memory_bytes",
               Kind::Gauge,
               {"component", "source", ""},
               "Resident memory."},
    MetricInfo{Metric::ProcessVirtualBytes,
               "process_virtual_memory_bytes",
               Kind::Gauge,
               {"component", "source", ""},
               "Virtual memory."},
    MetricInfo{Metric::ProcessOpenFds,
               "process_open_fds",
               Kind::Gauge,
               {"component", "source", ""},
               "Open file descriptors."},
    MetricInfo{Metric::ProcessMaxFds,
               "process_max_fds",
               Kind::Gauge,
               {"component", "source", ""},
               "Limit of open file descriptors."},
    MetricInfo{Metric::ProcessStartTime,
               "process_start_time_seconds",
               Kind::Gauge,
               {"component", "source", ""},
               "Unix time at which the process started."},
};

constexpr const MetricInfo& info(Metric metric) { return kCatalogue[static_cast<std::size_t>(metric)]; }

constexpr const MetricInfo* find_metric(std::string_view name) {
  for (const MetricInfo& entry : kCatalogue) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

// Values of the label error_type. Every window log has the first three, 0 if nothing happened.
namespace error_type {
inline constexpr std::string_view kParse = "parse_error";  // not JSON, or a field that cannot be right
inline constexpr std::string_view kPublish =
    "publish_error";  // Redis refused a command, or the connection to it was lost
inline constexpr std::string_view kApi = "api_error";                // the exchange answered with an error
inline constexpr std::string_view kConnection = "connection_error";  // a connection to the exchange failed
inline constexpr std::string_view kFrameTooLarge =
    "frame_too_large";  // over --frame-bytes-max, before or after inflation
inline constexpr std::string_view kBinaryFrame = "binary_frame";  // the exchanges send text only
inline constexpr std::string_view kUnknownChannel =
    "unknown_channel";  // a well-formed frame of an unknown channel
inline constexpr std::string_view kUnknownSymbol =
    "unknown_symbol";                                      // an event of a symbol that is not in --symbols
inline constexpr std::string_view kLink = "link_error";    // a message of the link that was refused
inline constexpr std::string_view kSpool = "spool_error";  // the reader's spool on disk cannot be used
inline constexpr std::string_view kRest = "rest_error";    // an HTTP request to the exchange failed
inline constexpr std::array kAll = {
    kParse,          kPublish,       kApi,  kConnection, kFrameTooLarge, kBinaryFrame,
    kUnknownChannel, kUnknownSymbol, kLink, kSpool,      kRest};
inline constexpr std::array kAlwaysLogged = {kParse, kPublish, kApi};
}  // namespace error_type

// Upper bounds of the latency histograms in seconds; the buckets of both name profiles are among them.
inline constexpr std::array kLatencyBounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                              0.05,   0.1,    0.2,    0.5,   1.0,   2.0,   5.0,  10.0};

}  // namespace mdpipe::metrics
