#pragma once
// The present values as OTLP requests (ExportMetricsServiceRequest), each of bounded size: a round goes once
// over all series, metric by metric, and is cut into requests that are made one at a time, when the one
// before has been answered. Pure. Field numbers are those of opentelemetry-proto 1.x, packages metrics.v1 and
// collector.metrics.v1.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "metrics-agent/forward/otlp/otlp_counts.hpp"
#include "metrics-agent/forward/otlp/protobuf_writer.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

enum class HistogramForm { Exponential, Explicit };

// A request ends with the point that goes beyond either. The specification asks for less than 20 MiB.
inline constexpr std::size_t kOtlpPointsMax = 2'000;
inline constexpr std::size_t kOtlpBytesMax = 1U << 20U;

struct OtlpForm {
  Temporality temporality = Temporality::Cumulative;
  HistogramForm histograms = HistogramForm::Exponential;
  std::vector<std::pair<std::string, std::string>> resource;  // attributes
  std::string version;                                        // of mdpipe
  std::size_t points_max = kOtlpPointsMax;
};

struct OtlpRequest {
  std::string body;
  std::size_t points = 0;
};

class OtlpEncoder {
 public:
  // Borrows both. With delta temporality, what is put into a request is put aside in `counts`.
  OtlpEncoder(OtlpForm form, const SnapshotStore& store, OtlpCounts& counts);

  void begin_round();
  void end_round() { next_ = items_.size(); }
  [[nodiscard]] bool is_done() const { return next_ == items_.size(); }
  // Without points where none of the rest has a value.
  OtlpRequest next_request();
  // The last request is made once more, of newer values. For totals only.
  void step_back() { next_ = request_begin_; }

 private:
  // A series of the store, of the counts or a source, as the metric has it.
  struct Item {
    metrics::Metric metric;
    std::uint32_t index;
  };

  void list_items();
  void write_scope(std::size_t& points);
  void write_metric(std::size_t& points);
  std::size_t write_points(const Item& item);
  void write_sum(const Item& item);
  void write_histogram(std::uint32_t index);
  void write_exponential(const HistogramSum& histogram);
  void write_explicit(const HistogramSum& histogram);
  std::size_t write_current(const Item& item);
  void write_source(const Item& item);
  void write_processor_time(const metrics::SeriesKey& key, SeriesIndex series, double seconds);
  void write_attributes(unsigned field, const metrics::SeriesKey& key);
  void write_attribute(unsigned field, std::string_view name, std::string_view value);
  void write_times(UnixNanos since);
  [[nodiscard]] bool is_full(std::size_t points) const;

  OtlpForm form_;
  const SnapshotStore& store_;
  OtlpCounts& counts_;
  ProtobufWriter writer_;
  std::vector<Item> items_;  // of the round
  std::size_t next_ = 0, request_begin_ = 0;
};

}  // namespace mdpipe::agent
