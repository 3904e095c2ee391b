#pragma once
// The unit of a metric of the catalogue in OpenTelemetry. Names stay as they are, including `_total` and
// `_seconds`: OpenTelemetry's translation to Prometheus does not change a name that already ends in the
// suffix of its type and unit, so queries for /metrics still work. For the same reason no unit is "1", which
// would append `_ratio` to gauges. Pure. See
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ (read 2026-11-25).
#include <string_view>

#include "libshared/metrics/catalogue.hpp"

namespace mdpipe::agent {

// As UCUM writes it: "s", "By", "{event}"; empty if the value is a state.
std::string_view otlp_unit(const metrics::MetricInfo& info);

}  // namespace mdpipe::agent
