#pragma once
// A store, its windows and OpenTelemetry's counts, in both runs of an agent.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics-agent/forward/otlp/otlp_counts.hpp"
#include "metrics-agent/window/window_state.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"
#include "tests/unit/metrics-agent/window/checkpoint_support.hpp"

namespace mdpipe::agent {

inline const std::vector<std::string> kLatencyLabels = {"gmo", "md:ticker"};
inline std::uint64_t epoch_at(double seconds) { return static_cast<std::uint64_t>(at(seconds).wall.count); }

class OtlpAgent {
 public:
  explicit OtlpAgent(Temporality temporality, double start = 0, const std::string& checkpoint = {})
      : counts(temporality), book_(at(start).steady, load(checkpoint, start)) {}

  void hear(const metrics::Delta& message, double seconds) { store.apply(message, at(seconds)); }
  void end_window(double seconds, double wall_ahead = 0) {
    counts.add(store, book_.close(store, at(seconds).steady), at(seconds + wall_ahead).wall);
  }
  std::string checkpoint() {
    WindowCheckpoint out = book_.checkpoint(store);
    out.undelivered.push_back(counts.state("otlp"));
    return encode_checkpoint(out, "boot");
  }
  std::optional<std::size_t> find(metrics::Metric metric, const std::vector<std::string>& labels) const {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts.key(i).info->metric == metric && counts.key(i).labels == metrics::LabelValues(labels))
        return i;
    }
    return std::nullopt;
  }

  SnapshotStore store{StoreLimits{}};
  OtlpCounts counts;

 private:
  WindowCheckpoint load(const std::string& bytes, double seconds) {
    if (bytes.empty()) return {};
    auto read = decode_checkpoint(bytes, {"boot", at(seconds).wall});
    counts.restore(read.value().undelivered.at(0));
    return std::move(read.value());
  }

  WindowBook book_;
};

}  // namespace mdpipe::agent
