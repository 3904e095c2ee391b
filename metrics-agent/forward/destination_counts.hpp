#pragma once
// The counters of metrics-agent about one destination, under its own component name. All of them exist with
// the value 0 before anything happens.
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "libshared/metrics/collector.hpp"

namespace mdpipe::agent {

class DestinationCounts {
 public:
  using Reasons = std::initializer_list<std::string_view>;

  // Borrows both; `destination` is a constant.
  DestinationCounts(metrics::MetricsCollector& own, std::string_view destination, Reasons errors,
                    Reasons drops)
      : own_(own), destination_(destination) {
    forwarded(0);
    for (const std::string_view reason : errors)
      own_.add(own_.series(metrics::Metric::ForwardErrors, {destination_, reason}), 0);
    for (const std::string_view reason : drops) dropped(reason, 0);
  }

  void forwarded(std::uint64_t points) {
    own_.add(own_.series(metrics::Metric::ForwardedPoints, {destination_}), points);
  }
  void error(std::string_view reason) {
    own_.add(own_.series(metrics::Metric::ForwardErrors, {destination_, reason}));
  }
  void dropped(std::string_view reason, std::uint64_t points) {
    own_.add(own_.series(metrics::Metric::ForwardDroppedPoints, {destination_, reason}), points);
  }

 private:
  metrics::MetricsCollector& own_;
  std::string_view destination_;
};

}  // namespace mdpipe::agent
