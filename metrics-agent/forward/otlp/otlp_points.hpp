#pragma once
// Writes the points of a metric into an OTLP message. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <protozero/pbf_builder.hpp>
#include <string_view>

#include "metrics-agent/forward/otlp/otlp_counts.hpp"
#include "metrics-agent/forward/otlp/otlp_fields.hpp"
#include "metrics-agent/forward/otlp/otlp_form.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// A message that is being written, whose fields are those of the enum. A message inside of it names it as its
// parent and is complete when the inner object is destroyed; until then the parent is left alone.
template <typename Fields>
using OtlpMessage = protozero::pbf_builder<Fields>;

// `parent` repeats `field`, a KeyValue of text.
template <typename Fields>
void add_attribute(OtlpMessage<Fields>& parent, Fields field, std::string_view name, std::string_view value) {
  OtlpMessage<otlp::KeyValue> pair(parent, field);
  pair.add_string(otlp::KeyValue::Key, name);
  OtlpMessage<otlp::AnyValue>(pair, otlp::KeyValue::Value).add_string(otlp::AnyValue::String, value);
}

class OtlpPoints {
 public:
  using Data = OtlpMessage<otlp::Data>;

  // Borrows all three. With delta temporality, the counts that are written are set aside in `counts`.
  OtlpPoints(const OtlpForm& form, const SnapshotStore& store, OtlpCounts& counts)
      : form_(form), store_(store), counts_(counts) {}

  // Returns how many points `item` has: none if nobody sets the gauge, or if there is no increment; for the
  // state of a feed one a state, as on /metrics, with the value 1 for the state that it is in.
  std::size_t write(Data& data, const OtlpItem& item);

 private:
  [[nodiscard]] std::size_t write_current(Data& data, const OtlpItem& item) const;
  void write_gauge(Data& data, const metrics::SeriesKey& key, double number, std::string_view state) const;
  void write_source(Data& data, const OtlpItem& item) const;
  void write_processor_time(Data& data, SeriesIndex series, double seconds) const;
  void write_sum(Data& data, const OtlpItem& item) const;
  void write_exponential(Data& data, std::uint32_t index) const;
  void write_explicit(Data& data, std::uint32_t index) const;
  template <typename Point>
  void add_times(OtlpMessage<Point>& point, UnixNanos since) const;

  const OtlpForm& form_;
  const SnapshotStore& store_;
  OtlpCounts& counts_;
};

}  // namespace mdpipe::agent
