#include "libshared/metrics/catalogue.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "libshared/text/ascii.hpp"

namespace mdpipe::metrics {
namespace {

TEST(Catalogue, every_entry_stands_at_its_enums_place) {
  for (std::size_t i = 0; i < kCatalogue.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kCatalogue[i].metric), i) << kCatalogue[i].name;
  }
}

TEST(Catalogue, names_are_unique_and_found_again) {
  std::set<std::string_view> names;
  for (const MetricInfo& entry : kCatalogue) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(find_metric(entry.name), &entry);
  }
  EXPECT_EQ(find_metric("collector_no_such_total"), nullptr);
}

TEST(Catalogue, names_follow_the_prometheus_conventions) {
  for (const MetricInfo& entry : kCatalogue) {
    EXPECT_EQ(ascii::ends_with(entry.name, "_total"), entry.kind == Kind::Counter) << entry.name;
    EXPECT_FALSE(entry.help.empty()) << entry.name;
    EXPECT_EQ(entry.help.back(), '.') << entry.name;
    if (entry.kind != Kind::Histogram) continue;
    EXPECT_TRUE(ascii::ends_with(entry.name, "_seconds")) << entry.name;
    for (const auto label : entry.labels) EXPECT_NE(label, "symbol") << entry.name;
  }
}

TEST(Catalogue, label_count_stops_at_the_first_empty_name) {
  EXPECT_EQ(info(Metric::MessagesReceived).label_count(), 3U);
  EXPECT_EQ(info(Metric::Errors).label_count(), 2U);
  EXPECT_EQ(info(Metric::Reconnects).label_count(), 1U);
}

}  // namespace
}  // namespace mdpipe::metrics
