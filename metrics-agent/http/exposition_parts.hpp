#pragma once
// What both name profiles of the exposition write with.
#include <array>

#include "libshared/metrics/catalogue.hpp"
#include "metrics-agent/http/family_writer.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {

// How a histogram is shown: kLatencyBounds in another unit, with those left out that are 0.
struct HistogramScale {
  std::array<double, metrics::kLatencyBounds.size()> bounds{};
  double sum_factor = 1;  // from nanoseconds
};

prometheus::MetricType type_of(metrics::Kind kind);

// False for a gauge that no living source has set.
bool set_value(const metrics::MetricInfo& info, const MergedValue& value, const HistogramScale& scale,
               prometheus::ClientMetric& metric);

}  // namespace mdpipe::agent
