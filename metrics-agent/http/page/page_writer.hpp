#pragma once
// Writes a page of metrics, family by family, in one format. The exposition decides which series there are,
// the format only how they are written; so all formats contain the same samples.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "libshared/metrics/catalogue.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {

struct Label {
  std::string_view name, value;
  friend bool operator==(const Label& a, const Label& b) { return a.name == b.name && a.value == b.value; }
  friend bool operator<(const Label& a, const Label& b) {
    return a.name != b.name ? a.name < b.name : a.value < b.value;
  }
};

// Views, valid as long as the store.
class LabelList {
 public:
  void push_back(Label label) { labels_.at(count_++) = label; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] const Label* begin() const { return labels_.data(); }
  [[nodiscard]] const Label* end() const { return labels_.data() + count_; }
  friend bool operator<(const LabelList& a, const LabelList& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<Label, metrics::kLabelsMax + 1> labels_{};  // one more for the state of a StateSet
  std::size_t count_ = 0;
};

struct FamilyHead {
  std::string_view name;  // of its samples; that of a counter ends in _total
  metrics::Kind kind{};   // a StateSet is shown as gauges
  std::string_view help;
};

// How a histogram is shown: kLatencyBounds in another unit, without those that are 0.
struct HistogramScale {
  std::array<double, metrics::kLatencyBounds.size()> bounds{};
  double sum_factor = 1;  // from nanoseconds
};

class PageWriter {
 public:
  virtual ~PageWriter() = default;
  PageWriter() = default;
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;

  // A family without series leaves no trace. `head` is borrowed until end_family.
  virtual void begin_family(const FamilyHead& head) = 0;
  virtual void add_count(const LabelList& labels, std::uint64_t count) = 0;
  virtual void add_number(const LabelList& labels, double number) = 0;
  virtual void add_histogram(const LabelList& labels, const MergedValue& value,
                             const HistogramScale& scale) = 0;
  virtual void end_family() = 0;
  virtual void end_page() = 0;
};

}  // namespace mdpipe::agent
