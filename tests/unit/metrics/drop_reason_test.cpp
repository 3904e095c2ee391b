// The list of reasons against everything outside C++ that repeats it: alert rules, dashboards and the tables
// in docs/.
#include "libshared/metrics/drop_reason.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace mdpipe::metrics {
namespace {

using testing::ElementsAreArray;

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(MDPIPE_SOURCE_FOLDER) + "/" + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    out.push_back((*it)[1].str());
  return out;
}

// The sets of reasons that selectors of the counter exclude or choose.
std::set<std::string> matched_sets(const std::string& text) {
  const auto found =
      all_matches(text, R"re(collector_dropped_events_total\{[^}]*reason[!=]~\\?"([^"\\]*)\\?")re");
  return {found.begin(), found.end()};
}

template <typename Wanted>
std::vector<std::string> names_that(Wanted is_wanted) {
  std::vector<std::string> out;
  for (const DropReasonInfo& entry : kDropReasons) {
    if (is_wanted(entry)) out.emplace_back(entry.name);
  }
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : "|") + name;
  return out;
}

std::vector<std::string> left_out() {
  return names_that([](const DropReasonInfo& entry) { return !entry.is_loss(); });
}
std::vector<std::string> in_a_snapshot() {
  return names_that([](const DropReasonInfo& entry) { return entry.effect == DropEffect::SnapshotHasIt; });
}

// "| `name` | meaning" of a table below a heading.
std::vector<std::string> table_rows(const std::string& page, const std::string& heading,
                                    const std::string& end) {
  const std::string text = read_source(page);
  const auto begin = text.find("\n" + heading + "\n");
  EXPECT_NE(begin, std::string::npos) << page << " has no heading " << heading;
  if (begin == std::string::npos) return {};
  return all_matches(text.substr(begin, text.find(end, begin + heading.size()) - begin),
                     R"(\n(\| `[a-z_]+` \| [^|\n]*) \|)");
}

std::vector<std::string> expected_rows(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names)
    out.push_back("| `" + name + "` | " + std::string(find_drop_reason(name)->help));
  return out;
}

TEST(DropReason, every_entry_stands_at_the_place_of_its_enumerator) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kDropReasons.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kDropReasons[i].reason), i) << kDropReasons[i].name;
    EXPECT_EQ(to_string(kDropReasons[i].reason), kDropReasons[i].name);
    EXPECT_EQ(find_drop_reason(kDropReasons[i].name), &kDropReasons[i]);
    EXPECT_TRUE(names.insert(kDropReasons[i].name).second) << kDropReasons[i].name;
  }
  EXPECT_EQ(find_drop_reason("no_such_reason"), nullptr);
}

TEST(DropReason, the_alert_rules_leave_out_what_is_no_loss) {
  EXPECT_THAT(matched_sets(read_source("compose/prometheus/mdpipe.rules.yml")),
              ElementsAreArray({joined(left_out())}));
}

TEST(DropReason, the_dashboards_know_the_same_reasons) {
  EXPECT_THAT(matched_sets(read_source("compose/grafana/dashboards/mdpipe.json")),
              ElementsAreArray({joined(in_a_snapshot())}));
  EXPECT_THAT(matched_sets(read_source("compose/grafana/dashboards/mdpipe-digging.json")),
              ElementsAreArray({joined(left_out())}));
}

TEST(DropReason, the_tables_in_the_docs_have_each_reason_with_its_meaning) {
  const auto all = names_that([](const DropReasonInfo&) { return true; });
  EXPECT_THAT(table_rows("docs/metrics.md", "## Values of `reason`", "`collector_redis_refusals_total`"),
              ElementsAreArray(expected_rows(all)));
  EXPECT_THAT(table_rows("docs/books.md", "## What is left out, and why", "\n## "),
              ElementsAreArray(expected_rows(left_out())));
}

TEST(DropReason, metrics_md_says_which_reasons_are_a_loss) {
  const std::string page = read_source("docs/metrics.md");
  EXPECT_THAT(all_matches(page, R"(\n\| `([a-z_]+)` \|[^|\n]*\| a loss)"),
              ElementsAreArray(names_that([](const DropReasonInfo& entry) { return entry.is_loss(); })));
  EXPECT_THAT(all_matches(page, R"(\n\| `([a-z_]+)` \|[^|\n]*\| left out; a snapshot)"),
              ElementsAreArray(in_a_snapshot()));
}

}  // namespace
}  // namespace mdpipe::metrics
