#pragma once
// A window as documents of CloudWatch's embedded metric format (EMF): JSON objects from which CloudWatch Logs
// makes metrics. Counters are the increments of the window, histograms up to 100 values and a count. Series
// of the same dimensions share a document. Pure.
//
// CloudWatch bills each metric of each set of dimensions. So by default symbols are added up, and values that
// are useless there (timestamps, build information, counters that are still 0) are left out.
//
// Source:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
// (read 2026-11-25).
#include <cstddef>
#include <string>
#include <vector>

#include "libshared/time/time.hpp"
#include "metrics-agent/store/snapshot_store.hpp"
#include "metrics-agent/window/window.hpp"

namespace mdpipe::agent {

struct EmfOptions {
  std::string name_space = "mdpipe";
  bool with_symbols = false;
};

struct EmfDocument {
  std::string members;     // of the root object, without its braces: "_aws" first, then dimensions and values
  std::size_t points = 0;  // metrics in it
};

// Sorted by dimensions. `end` is when the window ended.
std::vector<EmfDocument> emf_documents(const SnapshotStore& store, const Window& window,
                                       const EmfOptions& options, UnixNanos end);

}  // namespace mdpipe::agent
