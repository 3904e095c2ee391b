#pragma once
// One metric family at a time as Prometheus' text, through prometheus-cpp: a page of tens of thousands of
// series then takes the memory of its largest family beside that of its text. What is written, and under
// which names, is exposition's business.
#include <prometheus/metric_family.h>

#include <string>
#include <string_view>

namespace mdpipe::agent {

class FamilyWriter {
 public:
  // Appends to `out`, which is borrowed, when it ends. A family without series leaves no trace.
  FamilyWriter(std::string& out, std::string_view name, prometheus::MetricType type, std::string_view help);
  ~FamilyWriter();
  FamilyWriter(const FamilyWriter&) = delete;
  FamilyWriter& operator=(const FamilyWriter&) = delete;

  // A new series without labels and values.
  prometheus::ClientMetric& add() { return family_.metric.emplace_back(); }
  // Takes the newest one back.
  void drop() { family_.metric.pop_back(); }

 private:
  std::string& out_;
  prometheus::MetricFamily family_;
};

}  // namespace mdpipe::agent
