#pragma once
// Encodes the present values as OTLP requests (ExportMetricsServiceRequest), each of bounded size. A round
// goes once over all series, metric by metric. It is cut into requests; the next request is made when the one
// before has been answered. Pure.
#include <cstddef>
#include <string>
#include <vector>

#include "metrics-agent/forward/otlp/otlp_counts.hpp"
#include "metrics-agent/forward/otlp/otlp_form.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

struct OtlpRequest {
  std::string body;
  std::size_t points = 0;
};

class OtlpEncoder {
 public:
  // Borrows both. With delta temporality, the counts in a request are set aside in `counts`.
  OtlpEncoder(OtlpForm form, const SnapshotStore& store, OtlpCounts& counts);

  void begin_round();
  void end_round() { next_ = items_.size(); }
  [[nodiscard]] bool is_done() const { return next_ == items_.size(); }
  // Without points if none of the remaining series has a value.
  OtlpRequest next_request();
  // The next request repeats the last one with newer values. For totals only.
  void step_back() { next_ = request_begin_; }

 private:
  class Writer;

  void list_items();

  OtlpForm form_;
  const SnapshotStore& store_;
  OtlpCounts& counts_;
  std::vector<OtlpItem> items_;  // of the round
  std::size_t next_ = 0, request_begin_ = 0;
};

}  // namespace mdpipe::agent
