#pragma once
// The known series: metric and label values by number, 0, 1, 2, ... in the order in which they were first
// seen. Made for tens of thousands of series in little memory: a label value that many series share is stored
// once. It has no counts.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/intern/string_index.hpp"
#include "libshared/metrics/catalogue.hpp"

namespace mdpipe::metrics {

// The label values of one series, as views. The function that returns them says how long they are valid.
class LabelValues {
 public:
  // One more than any metric has, so that too many labels can be detected; more are ignored.
  static constexpr std::size_t kCountMax = kLabelsMax + 1;

  LabelValues() = default;
  LabelValues(std::initializer_list<std::string_view> values) { assign(values); }
  // NOLINTNEXTLINE(google-explicit-constructor): a vector of labels may stand wherever labels are named
  LabelValues(const std::vector<std::string>& values) { assign(values); }

  void push_back(std::string_view value) {
    if (count_ < kCountMax) values_[count_++] = value;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] const std::string_view* begin() const { return values_.data(); }
  [[nodiscard]] const std::string_view* end() const { return values_.data() + count_; }
  const std::string_view& operator[](std::size_t index) const { return values_[index]; }
  [[nodiscard]] const std::string_view& back() const { return values_[count_ - 1]; }
  friend bool operator==(const LabelValues& a, const LabelValues& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  template <typename Values>
  void assign(const Values& values) {
    for (const auto& value : values) push_back(value);
  }

  std::array<std::string_view, kCountMax> values_{};
  std::size_t count_ = 0;
};

struct SeriesKey {
  const MetricInfo* info = nullptr;
  LabelValues labels;
};

class SeriesTable {
 public:
  SeriesTable();

  // `labels` has one value for each label of the metric.
  [[nodiscard]] std::optional<std::uint32_t> find(Metric metric, const LabelValues& labels) const;
  std::uint32_t find_or_add(Metric metric, const LabelValues& labels);

  // The views are valid as long as the table.
  SeriesKey operator[](std::uint32_t series) const;
  [[nodiscard]] const MetricInfo& info(std::uint32_t series) const {
    return metrics::info(keys_[series].metric);
  }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] bool empty() const { return keys_.empty(); }

 private:
  struct Key {
    Metric metric{};
    std::array<std::uint32_t, kLabelsMax> labels{};  // numbers of label values; kNoLabel if there are fewer
  };

  [[nodiscard]] std::size_t probe(const std::vector<std::uint32_t>& slots, const Key& key) const;
  void grow();

  StringIndex values_;
  std::vector<Key> keys_;
  std::vector<std::uint32_t> slots_;  // series by hash of its key, or kFree; at most half are used
};

}  // namespace mdpipe::metrics
