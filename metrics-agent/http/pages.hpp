#pragma once
// The answers for the paths /metrics and /healthz. Counts requests and answers. Runs in the loop; touches no
// socket.
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "libshared/metrics/collector.hpp"
#include "libshared/time/time.hpp"
#include "metrics-agent/http/page/exposition.hpp"
#include "metrics-agent/http/server/answer.hpp"
#include "metrics-agent/http/server/request.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

struct PagesOptions {
  NameProfile profile = NameProfile::Collector;
  bool has_metrics = true;  // without them /metrics is 404, and /healthz only says that the agent runs
};

class Pages {
 public:
  // Borrows the store and the collector.
  Pages(const SnapshotStore& store, metrics::MetricsCollector& own, PagesOptions options);

  // Whether a password is required: not for /healthz, because health checks of containers have none.
  static bool is_protected(std::string_view path);

  Answer answer(const Request& request);
  // An answer was cut because the client did not read it in time.
  void count_cut();

 private:
  Answer make_answer(const Request& request);
  [[nodiscard]] bool is_known(std::string_view path) const;
  Answer metrics_answer(const Request& request);
  [[nodiscard]] Answer health_answer() const;

  // The last page of a form, as long as it is being sent to a client.
  struct Shared {
    std::weak_ptr<const std::string> body;
    SteadyTime made;
  };

  const SnapshotStore& store_;
  metrics::MetricsCollector& own_;
  PagesOptions options_;
  std::array<Shared, 2 * kTextFormats> shared_{};
};

}  // namespace mdpipe::agent
