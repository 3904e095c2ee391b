#pragma once
// OpenMetrics 1.0, which prometheus-cpp cannot write and Prometheus prefers. For speed, a sample is written
// from the store directly into the page's text.
//
// Names and labels of samples are those of the other format, so that a query finds both; but an upper bound
// of a bucket is written as the specification's canonical number (le="1.0").
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
#include <string>
#include <string_view>

#include "metrics-agent/http/page/page_text.hpp"
#include "metrics-agent/http/page/page_writer.hpp"

namespace mdpipe::agent {

class OpenMetricsText final : public PageWriter {
 public:
  // Borrows the page.
  explicit OpenMetricsText(PageText& page) : page_(page), out_(page.text()) {}

  void begin_family(const FamilyHead& head) override;
  void add_count(const LabelList& labels, std::uint64_t count) override;
  void add_number(const LabelList& labels, double number) override;
  void add_histogram(const LabelList& labels, const MergedValue& value, const HistogramScale& scale) override;
  void end_family() override {}
  void end_page() override;

 private:
  void write_head();
  void begin_sample(std::string_view suffix, const LabelList& labels, std::string_view le = {});
  void end_sample();

  PageText& page_;
  std::string& out_;
  FamilyHead head_;
  bool has_head_ = false;  // the head of the family was written
};

}  // namespace mdpipe::agent
