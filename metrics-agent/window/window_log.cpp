#include "metrics-agent/window/window_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "libshared/json/json_writer.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using Counts = std::map<std::string, std::uint64_t>;  // sorted, so that lines compare

// The contents of one line.
struct ExchangeWindow {
  Counts received, published, errors;
  std::map<std::string, HistogramSum> latencies;  // by stream
  std::uint64_t received_bytes = 0, published_bytes = 0, reconnects = 0;
  double unconfirmed_events = 0, spool_bytes = 0;
};
using Lines = std::map<std::string, ExchangeWindow>;

constexpr char kNoExchange[] = "";

// The exchange that each source serves, empty if it serves none or several.
std::vector<std::string> exchanges_by_source(const SnapshotStore& store) {
  std::vector<std::set<std::string>> served(store.sources().size());
  for (const Cell& cell : store.cells()) {
    const SeriesKey key = store.key(cell);
    if (key.info->labels[0] == "exchange" && !key.labels[0].empty())
      served[cell.source].emplace(key.labels[0]);
  }
  std::vector<std::string> out;
  out.reserve(served.size());
  for (const auto& exchanges : served)
    out.push_back(exchanges.size() == 1 ? *exchanges.begin() : kNoExchange);
  return out;
}

std::string joined(std::string_view stream, std::string_view symbol) {
  return std::string(stream).append(1, ':').append(symbol);
}

void add_exchange_series(const SeriesKey& key, std::uint64_t count, ExchangeWindow& line) {
  switch (key.info->metric) {
    case Metric::MessagesReceived:
      line.received[joined(key.labels[1], key.labels[2])] += count;
      break;
    case Metric::MessagesPublished:
      line.published[joined(key.labels[1], key.labels[2])] += count;
      break;
    case Metric::ReceivedBytes:
      line.received_bytes += count;
      break;
    case Metric::PublishedBytes:
      line.published_bytes += count;
      break;
    case Metric::Reconnects:
      line.reconnects += count;
      break;
    default:
      break;
  }
}

void add_source_gauge(const SeriesKey& key, double value, ExchangeWindow& line) {
  if (!std::isfinite(value)) return;  // JSON has no such numbers
  if (key.info->metric == Metric::UnconfirmedEvents) line.unconfirmed_events += value;
  if (key.info->metric == Metric::SpoolBytes) line.spool_bytes += value;
}

// First the lines of all known exchanges, then the values that have to be assigned to one of them.
Lines collect(const SnapshotStore& store, const Window& window) {
  Lines lines;
  for (std::size_t i = 0; i < store.cells().size(); ++i) {
    const SeriesKey key = store.key(store.cells()[i]);
    if (key.info->labels[0] == "exchange")
      add_exchange_series(key, window.counts[i], lines[std::string(key.labels[0])]);
  }
  const auto served = exchanges_by_source(store);
  const std::string only = lines.size() == 1 ? lines.begin()->first : kNoExchange;
  const auto line_of = [&](const Cell& cell) {
    return served[cell.source].empty() ? only : served[cell.source];
  };
  for (std::size_t i = 0; i < store.cells().size(); ++i) {
    const Cell& cell = store.cells()[i];
    const SeriesKey key = store.key(cell);
    if (key.info->metric == Metric::Errors && window.counts[i] > 0) {
      lines[line_of(cell)].errors[std::string(key.labels[1])] += window.counts[i];
    } else if (cell.gauge_stamp > 0 && store.sources()[cell.source].up && !served[cell.source].empty()) {
      add_source_gauge(key, cell.gauge, lines[served[cell.source]]);
    }
  }
  for (const auto& [index, histogram] : window.histograms) {
    const SeriesKey key = store.key(store.cells()[index]);
    if (key.info->metric == Metric::PublishLatency)
      lines[std::string(key.labels[0])].latencies[std::string(key.labels[1])].add(histogram);
  }
  return lines;
}

void write_counts(const Counts& counts, JsonWriter& json) {
  json.begin_object();
  for (const auto& [name, count] : counts) json.member(name, count);
  json.end_object();
}

// The three types of the contract always come first, in its order.
void write_errors(Counts errors, JsonWriter& json) {
  json.begin_object();
  for (const std::string_view type : metrics::error_type::kAlwaysLogged) {
    json.member(type, errors[std::string(type)]);
    errors.erase(std::string(type));
  }
  for (const auto& [type, count] : errors) json.member(type, count);
  json.end_object();
}

void write_latencies(const std::map<std::string, HistogramSum>& latencies, JsonWriter& json) {
  const auto milliseconds = [](const HistogramSum& histogram, double q) {
    return three_digits(metrics::quantile(histogram.buckets, q) * 1e-6);
  };
  json.begin_object();
  for (const auto& [stream, histogram] : latencies) {
    json.key(stream).begin_object();
    json.raw_member("p50", milliseconds(histogram, 0.5));
    json.raw_member("p95", milliseconds(histogram, 0.95));
    json.raw_member("p99", milliseconds(histogram, 0.99));
    json.end_object();
  }
  json.end_object();
}

std::uint64_t average(std::uint64_t bytes, const Counts& counts) {
  std::uint64_t messages = 0;
  for (const auto& [name, count] : counts) messages += count;
  return messages == 0 ? 0 : (bytes + messages / 2) / messages;
}

// "10", "10.5" or "9.98": hundredths, as the timer of a window of 10 s may fire some milliseconds late.
std::string seconds_text(std::chrono::nanoseconds span) {
  const double hundredths = std::round(static_cast<double>(span.count()) * 1e-7);
  return fmt::format("{}", static_cast<std::int64_t>(hundredths) % 100 == 0 ? std::round(hundredths / 100)
                                                                            : hundredths / 100);
}

std::string line_json(const ExchangeWindow& line, std::chrono::nanoseconds span) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_counts(line.received, json.key("received"));
  write_counts(line.published, json.key("published"));
  write_errors(line.errors, json.key("errors"));
  json.member("reconnects", line.reconnects);
  write_latencies(line.latencies, json.key("latency_ms"));
  json.key("message_bytes").begin_object();
  json.member("received_avg", average(line.received_bytes, line.received));
  json.member("published_avg", average(line.published_bytes, line.published)).end_object();
  json.key("buffer").begin_object();
  json.raw_member("unconfirmed_events", fmt::format("{:.0f}", line.unconfirmed_events));
  json.raw_member("spool_bytes", fmt::format("{:.0f}", line.spool_bytes)).end_object();
  json.raw_member("window_seconds", seconds_text(span)).end_object();
  return out;
}

}  // namespace

std::string three_digits(double value) {
  if (!(value > 0)) return "0";
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(value))), 0, 6);
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (decimals > 0) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

std::vector<WindowLine> window_lines(const SnapshotStore& store, const Window& window) {
  std::vector<WindowLine> out;
  for (const auto& [exchange, line] : collect(store, window))
    out.push_back({exchange, line_json(line, window.span)});
  return out;
}

}  // namespace mdpipe::agent
