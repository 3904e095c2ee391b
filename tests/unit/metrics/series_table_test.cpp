#include "libshared/metrics/series_table.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <string>

namespace mdpipe::metrics {
namespace {

TEST(SeriesTable, numbers_series_in_the_order_of_first_sight_and_finds_them_again) {
  SeriesTable table;
  constexpr std::uint32_t kSeries = 5000;  // grows many times
  for (std::uint32_t i = 0; i < kSeries; ++i)
    EXPECT_EQ(table.find_or_add(Metric::MessagesReceived, {"gmo", "trade", std::to_string(i)}), i);
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    const std::string symbol = std::to_string(i);
    EXPECT_EQ(table.find(Metric::MessagesReceived, {"gmo", "trade", symbol}), i);
    EXPECT_EQ(table.find_or_add(Metric::MessagesReceived, {"gmo", "trade", symbol}), i);
    EXPECT_TRUE(table[i].labels == LabelValues({"gmo", "trade", symbol}));
  }
  EXPECT_EQ(table.size(), kSeries);
}

TEST(SeriesTable, tells_metrics_and_places_of_values_apart) {
  SeriesTable table;
  table.find_or_add(Metric::MessagesReceived, {"a", "b", "a"});
  EXPECT_FALSE(table.find(Metric::ReceivedBytes, {"a", "b", "a"}));
  EXPECT_FALSE(table.find(Metric::MessagesReceived, {"a", "a", "b"}));
  EXPECT_FALSE(table.find(Metric::MessagesReceived, {"", "b", "a"}));
  EXPECT_EQ(table.find_or_add(Metric::Reconnects, {"a"}), 1U);
  EXPECT_EQ(table[1].info->metric, Metric::Reconnects);
  EXPECT_EQ(table[1].labels.size(), 1U);
}

// In a table of many series keys of one hash meet, so every part of a key has to be compared.
TEST(SeriesTable, tells_metrics_of_the_same_labels_apart_where_hashes_meet) {
  SeriesTable table;
  constexpr Metric kMetrics[] = {Metric::MessagesReceived, Metric::ReceivedBytes,
                                 Metric::LastMessageTimestamp, Metric::ConflatedEvents};
  for (int i = 0; i < 5000; ++i) {
    const std::string symbol = std::to_string(i);
    for (const Metric metric : kMetrics)
      EXPECT_EQ(table[table.find_or_add(metric, {"gmo", "trade", symbol})].info->metric, metric);
  }
  EXPECT_EQ(table.size(), 5000 * std::size(kMetrics));
}

TEST(LabelValues, too_many_can_be_told_from_just_enough) {
  const std::vector<std::string> values(kLabelsMax + 3, "x");
  EXPECT_GT(LabelValues(values).size(), kLabelsMax);
}

}  // namespace
}  // namespace mdpipe::metrics
