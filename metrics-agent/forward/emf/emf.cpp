#include "metrics-agent/forward/emf/emf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "libshared/event/event.hpp"
#include "libshared/json/json_writer.hpp"
#include "libshared/text/ascii.hpp"
#include "libshared/text/format.hpp"
#include "metrics-agent/forward/gauges.hpp"
#include "metrics-agent/forward/histogram_samples.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::Metric;
using metrics::MetricInfo;

// Limits of the format. A document has each metric of the catalogue at most once, histograms with their
// count, so none has to be split.
constexpr std::size_t kMetricsMax = 100;
constexpr std::size_t kDimensionsMax = 30;
constexpr std::size_t kValuesMax = 100;
constexpr std::size_t metrics_in_document() {
  std::size_t count = 0;
  for (const MetricInfo& info : metrics::kCatalogue) count += info.kind == Kind::Histogram ? 2 : 1;
  return count;
}
static_assert(metrics_in_document() <= kMetricsMax);
static_assert(metrics::kLabelsMax + 1 <= kDimensionsMax);

// Name and value of each, as the labels have them: a window has thousands of series and a few documents.
class Dimensions {
 public:
  using Pair = std::pair<std::string_view, std::string_view>;
  void add(std::string_view name, std::string_view value) { pairs_[size_++] = {name, value}; }
  [[nodiscard]] const Pair* begin() const { return pairs_.data(); }
  [[nodiscard]] const Pair* end() const { return pairs_.data() + size_; }
  bool operator<(const Dimensions& other) const {
    return std::lexicographical_compare(begin(), end(), other.begin(), other.end());
  }

 private:
  std::array<Pair, metrics::kLabelsMax + 1> pairs_;
  std::size_t size_ = 0;
};

// One document, by metric in the order of the catalogue.
struct DocumentValues {
  std::map<Metric, std::uint64_t> counts;
  std::map<Metric, double> gauges;
  std::map<Metric, HistogramSum> histograms;
};
using Documents = std::map<Dimensions, DocumentValues>;

// CloudWatch accepts dimension values of ASCII without control characters; they must not be empty.
std::string dimension_value(std::string_view label) {
  std::string out(label.empty() ? "none" : label);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '_');
  if (out.find_first_not_of(' ') == std::string::npos) out = "none";
  return out;
}

Dimensions dimensions_of(const SeriesKey& key, bool with_symbols) {
  Dimensions out;
  for (std::size_t i = 0; i < key.labels.size(); ++i) {
    const std::string_view name = key.info->labels[i];
    if (name != "symbol" || with_symbols) out.add(name, key.labels[i]);
  }
  return out;
}

std::string_view unit_of(const MetricInfo& info) {
  if (ascii::ends_with(info.name, "_bytes") || ascii::ends_with(info.name, "_bytes_total")) return "Bytes";
  if (ascii::ends_with(info.name, "_seconds") || ascii::ends_with(info.name, "_seconds_total"))
    return "Seconds";
  const bool is_number_of_things =
      info.kind == Kind::Counter || info.kind == Kind::StateSet || ascii::ends_with(info.name, "_events") ||
      ascii::ends_with(info.name, "_series") || ascii::ends_with(info.name, "_fds");
  return is_number_of_things ? "Count" : "None";
}

// CloudWatch cannot compare timestamps with the present, and versions as dimensions would be billed as new
// metrics.
bool is_exported(const MetricInfo& info) {
  return !ascii::ends_with(info.name, "_timestamp_seconds") && info.metric != Metric::ProcessStartTime &&
         info.metric != Metric::BuildInfo;
}

void collect_counts(const SnapshotStore& store, const Window& window, const EmfOptions& options,
                    Documents& documents) {
  for (std::size_t i = 0; i < store.cells().size(); ++i) {
    const Cell& cell = store.cells()[i];
    if (cell.total() == 0) continue;
    const SeriesKey key = store.key(cell);
    documents[dimensions_of(key, options.with_symbols)].counts[key.info->metric] += window.counts[i];
  }
  for (const auto& [index, histogram] : window.histograms) {
    const SeriesKey key = store.key(store.cells()[index]);
    documents[dimensions_of(key, options.with_symbols)].histograms[key.info->metric].add(histogram);
  }
}

// The number of feeds in each state, never by symbol.
class StateCounts {
 public:
  void add(const SeriesKey& key, double value) {
    auto& feeds = feeds_[{dimensions_of(key, false), key.info->metric}];
    for (std::size_t i = 0; i < feeds.size(); ++i)
      feeds[i] += value == static_cast<double>(kFeedStates[i]) ? 1 : 0;
  }
  void write(Documents& documents) const {
    for (const auto& [group, feeds] : feeds_) {
      for (std::size_t i = 0; i < feeds.size(); ++i) {
        Dimensions dimensions = group.first;
        dimensions.add("state", to_string(kFeedStates[i]));
        documents[dimensions].gauges[group.second] = feeds[i];
      }
    }
  }

 private:
  std::map<std::pair<Dimensions, Metric>, std::array<double, std::size(kFeedStates)>> feeds_;
};

// With symbols, the state of each feed is a number.
void collect_gauges(const SnapshotStore& store, const EmfOptions& options, Documents& documents) {
  StateCounts states;
  for_each_gauge(store, is_exported, [&](const SeriesKey& key, double value) {
    const bool is_state = key.info->kind == Kind::StateSet;
    if (is_state) states.add(key, value);
    if (!is_state || options.with_symbols)
      documents[dimensions_of(key, options.with_symbols)].gauges[key.info->metric] += value;
  });
  states.write(documents);
}

// The two lists of a document: the definitions of its metrics, and their values as members of the root.
struct DocumentText {
  std::string definitions, members;
  std::size_t points = 0;
};

class PointWriter {
 public:
  // Borrows `text`.
  explicit PointWriter(DocumentText& text)
      : definitions_(text.definitions), members_(text.members), points_(text.points) {}
  void add(std::string_view name, std::string_view unit, std::string_view value) {
    definitions_.begin_object().member("Name", name).member("Unit", unit).end_object();
    members_.raw_member(name, value);
    ++points_;
  }

 private:
  JsonWriter definitions_, members_;
  std::size_t& points_;
};

std::string seconds_list(const std::vector<double>& nanoseconds) {
  std::string list = "[";
  for (const double value : nanoseconds)
    append_format(list, "{}{:.4g}", list.size() == 1 ? "" : ",", value * 1e-9);
  return list + "]";
}

void add_histogram(const MetricInfo& info, const HistogramSum& histogram, PointWriter& out) {
  out.add(info.name, "Seconds", seconds_list(values_by_rank(histogram.buckets, kValuesMax)));
  out.add(fmt::format("{}_count", info.name), "Count", fmt::to_string(histogram.count));
}

DocumentText document_text(const DocumentValues& values) {
  DocumentText text;
  PointWriter out(text);
  for (const auto& [metric, count] : values.counts) {
    const MetricInfo& info = metrics::info(metric);
    out.add(info.name, unit_of(info), fmt::to_string(count));
  }
  for (const auto& [metric, value] : values.gauges) {
    const MetricInfo& info = metrics::info(metric);
    out.add(info.name, unit_of(info), fmt::format("{}", value));
  }
  for (const auto& [metric, histogram] : values.histograms)
    add_histogram(metrics::info(metric), histogram, out);
  return text;
}

EmfDocument document_of(const Dimensions& dimensions, const DocumentValues& values, const EmfOptions& options,
                        UnixNanos end) {
  const DocumentText text = document_text(values);
  EmfDocument document;
  document.points = text.points;
  JsonWriter json(document.members);
  json.key("_aws").begin_object().member("Timestamp", end.count / 1'000'000);
  json.key("CloudWatchMetrics").begin_array().begin_object().member("Namespace", options.name_space);
  json.key("Dimensions").begin_array().begin_array();
  for (const auto& [name, value] : dimensions) json.value(name);
  json.end_array().end_array();
  json.key("Metrics").begin_array().raw(text.definitions).end_array();
  json.end_object().end_array().end_object();
  for (const auto& [name, value] : dimensions) json.member(name, dimension_value(value));
  if (text.points > 0) json.raw(text.members);
  return document;
}

}  // namespace

std::vector<EmfDocument> emf_documents(const SnapshotStore& store, const Window& window,
                                       const EmfOptions& options, UnixNanos end) {
  Documents documents;
  collect_counts(store, window, options, documents);
  collect_gauges(store, options, documents);
  std::vector<EmfDocument> out;
  out.reserve(documents.size());
  for (const auto& [dimensions, values] : documents)
    out.push_back(document_of(dimensions, values, options, end));
  return out;
}

}  // namespace mdpipe::agent
