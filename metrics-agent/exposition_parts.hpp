#pragma once
// What both name profiles of the exposition write with.
#include <array>
#include <string>
#include <string_view>

#include "libshared/metrics/catalogue.hpp"
#include "metrics-agent/family_writer.hpp"
#include "metrics-agent/merged.hpp"

namespace mdpipe::agent {

// How a histogram is shown.
struct HistogramScale {
  std::array<std::string_view, metrics::kLatencyBounds.size()>
      bounds;             // as text; "" for those that are left out
  double sum_factor = 1;  // from nanoseconds
};

std::string_view type_name(metrics::Kind kind);

// Nothing for a gauge that no living source has set.
void write_value(const metrics::MetricInfo& info, std::string_view labels, const MergedValue& value,
                 FamilyWriter& family);
// `labels` is lengthened meanwhile.
void write_histogram(std::string& labels, const MergedValue& value, const HistogramScale& scale,
                     FamilyWriter& family);

}  // namespace mdpipe::agent
