#include "metrics-agent/http/page/prometheus_text.hpp"

#include <prometheus/text_serializer.h>

#include <string>

namespace mdpipe::agent {
namespace {

constexpr std::size_t kSeriesAtOnce = 64;

// prometheus-cpp writes to a stream; this stream appends to the page's text.
class StringBuffer final : public std::streambuf {
 public:
  explicit StringBuffer(std::string& out) : out_(out) {}

 private:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) out_.push_back(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize bytes) override {
    out_.append(text, static_cast<std::size_t>(bytes));
    return bytes;
  }

  std::string& out_;
};

prometheus::MetricType type_of(metrics::Kind kind) {
  switch (kind) {
    case metrics::Kind::Counter:
      return prometheus::MetricType::Counter;
    case metrics::Kind::Gauge:
    case metrics::Kind::StateSet:
      return prometheus::MetricType::Gauge;
    case metrics::Kind::Histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

// Removes the lines "# HELP" and "# TYPE" that begin at `at`.
void erase_head(std::string& text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && text[end] == '#') end = text.find('\n', end) + 1;
  text.erase(at, end - at);
}

}  // namespace

PrometheusText::PrometheusText(PageText& page)
    : page_(page),
      buffer_(std::make_unique<StringBuffer>(page.text())),
      stream_(buffer_.get()),
      families_(1) {}

PrometheusText::~PrometheusText() = default;

void PrometheusText::begin_family(const FamilyHead& head) {
  families_[0].name = head.name;
  families_[0].help = head.help;
  families_[0].type = type_of(head.kind);
  has_head_ = false;
}

void PrometheusText::add_count(const LabelList& labels, std::uint64_t count) {
  add_number(labels, static_cast<double>(count));
}

void PrometheusText::add_number(const LabelList& labels, double number) {
  const bool is_counter = families_[0].type == prometheus::MetricType::Counter;
  prometheus::ClientMetric& metric = next(labels);
  (is_counter ? metric.counter.value : metric.gauge.value) = number;
}

void PrometheusText::add_histogram(const LabelList& labels, const MergedValue& value,
                                   const HistogramScale& scale) {
  prometheus::ClientMetric::Histogram& histogram = next(labels).histogram;
  histogram.sample_count = value.count;
  histogram.sample_sum = value.sum_ns * scale.sum_factor;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    cumulative += value.bounds[i];
    if (scale.bounds[i] > 0) histogram.bucket.push_back({cumulative, scale.bounds[i]});
  }
}

void PrometheusText::end_family() {
  if (!families_[0].metric.empty()) serialize();
}

prometheus::ClientMetric& PrometheusText::next(const LabelList& labels) {
  if (families_[0].metric.size() == kSeriesAtOnce) serialize();
  prometheus::ClientMetric& metric = families_[0].metric.emplace_back();
  for (const Label& label : labels)
    metric.label.push_back({std::string(label.name), std::string(label.value)});
  return metric;
}

void PrometheusText::serialize() {
  const std::size_t before = page_.text().size();
  prometheus::TextSerializer().Serialize(stream_, families_);
  if (has_head_) erase_head(page_.text(), before);
  has_head_ = true;
  families_[0].metric.clear();
  page_.flush_if_large();
}

}  // namespace mdpipe::agent
