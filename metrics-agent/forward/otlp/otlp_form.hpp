#pragma once
// The form in which metrics leave as OTLP. Pure.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libshared/metrics/catalogue.hpp"
#include "metrics-agent/forward/otlp/otlp_counts.hpp"

namespace mdpipe::agent {

enum class HistogramForm { Exponential, Explicit };

// A request ends with the point that reaches either limit. The specification asks for less than 20 MiB.
inline constexpr std::size_t kOtlpPointsMax = 2'000;
inline constexpr std::size_t kOtlpBytesMax = 1U << 20U;

struct OtlpForm {
  Temporality temporality = Temporality::Cumulative;
  HistogramForm histograms = HistogramForm::Exponential;
  std::vector<std::pair<std::string, std::string>> resource;  // attributes
  std::string version;                                        // of mdpipe
  std::size_t points_max = kOtlpPointsMax;
};

// A metric of one series of the store, of one series of the counts, or of one source.
struct OtlpItem {
  metrics::Metric metric;
  std::uint32_t index;
};

// Whether OTLP sends the value as the store has it, instead of the counts of windows: gauges, and with
// cumulative temporality the totals that are kept like gauges.
bool is_current_value(const metrics::MetricInfo& info, Temporality temporality);

}  // namespace mdpipe::agent
