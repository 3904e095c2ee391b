#include "metrics-agent/forward/otlp/otlp_metric.hpp"

#include "libshared/text/ascii.hpp"

namespace mdpipe::agent {

std::string_view otlp_unit(const metrics::MetricInfo& info) {
  using metrics::Metric;
  std::string_view name = info.name;
  constexpr std::string_view kTotal = "_total";
  if (ascii::ends_with(name, kTotal)) name.remove_suffix(kTotal.size());
  if (ascii::ends_with(name, "_seconds")) return "s";
  if (ascii::ends_with(name, "_bytes")) return "By";
  switch (info.metric) {
    case Metric::MessagesReceived:
    case Metric::MessagesPublished:
    case Metric::DroppedEvents:
    case Metric::ConflatedEvents:
    case Metric::RedisLostEvents:
    case Metric::UnconfirmedEvents:
      return "{event}";
    case Metric::FramesReceived:
      return "{frame}";
    case Metric::Errors:
    case Metric::ForwardErrors:
      return "{error}";
    case Metric::MetricSeries:
    case Metric::MetricSeriesDropped:
      return "{series}";
    case Metric::ForwardedPoints:
    case Metric::ForwardDroppedPoints:
      return "{point}";
    case Metric::ProcessOpenFds:
    case Metric::ProcessMaxFds:
      return "{file_descriptor}";
    default:
      return info.kind == metrics::Kind::Counter ? "{count}" : "";
  }
}

}  // namespace mdpipe::agent
