#pragma once
// Prometheus' text format 0.0.4, through prometheus-cpp. It gets a few series at a time, so that a page of
// tens of thousands needs only the memory of its text.
#include <prometheus/metric_family.h>

#include <memory>
#include <ostream>
#include <streambuf>
#include <string_view>
#include <vector>

#include "metrics-agent/http/page/page_text.hpp"
#include "metrics-agent/http/page/page_writer.hpp"

namespace mdpipe::agent {

class PrometheusText final : public PageWriter {
 public:
  // Borrows the page.
  explicit PrometheusText(PageText& page);
  ~PrometheusText() override;

  void begin_family(const FamilyHead& head) override;
  void add_count(const LabelList& labels, std::uint64_t count) override;
  void add_number(const LabelList& labels, double number) override;
  void add_histogram(const LabelList& labels, const MergedValue& value, const HistogramScale& scale) override;
  void end_family() override;
  void end_page() override {}

 private:
  prometheus::ClientMetric& next(const LabelList& labels);
  void serialize();

  PageText& page_;
  std::unique_ptr<std::streambuf> buffer_;
  std::ostream stream_;
  std::vector<prometheus::MetricFamily> families_;  // one, in a vector because prometheus-cpp wants one
  bool has_head_ = false;                           // the head of the family was written
};

}  // namespace mdpipe::agent
