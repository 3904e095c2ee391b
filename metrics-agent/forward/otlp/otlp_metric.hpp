#pragma once
// What OpenTelemetry calls a metric of the catalogue: its unit and the kind of its data. Names stay as they
// are, `_total` and `_seconds` included: a name that has the suffix of its type and unit already is left
// alone by the translation to Prometheus, so that queries written for /metrics go on working. For the same
// reason no unit is "1", which would append `_ratio` to gauges. Pure. See
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ (read 2026-11-25).
#include <string_view>

#include "libshared/metrics/catalogue.hpp"

namespace mdpipe::agent {

// As UCUM writes it: "s", "By", "{event}"; empty where the value is a state.
std::string_view otlp_unit(const metrics::MetricInfo& info);

}  // namespace mdpipe::agent
