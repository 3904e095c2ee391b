// The manual page and --help list the same options.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tools/exchange-sim/options.hpp"

namespace mdpipe::sim {
namespace {

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
    found.insert((*at)[1]);
  return found;
}

TEST(Manual, lists_the_options_of_help) {
  Options options;
  const std::string help = option_table(options).help();
  std::ifstream file(SIM_MANUAL);
  std::string manual((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  manual = std::regex_replace(manual, std::regex(R"(\\-)"), "-");
  const auto of_help = matches(help, std::regex("\n  (?:-h, )?--([a-z0-9-]+)"));
  const auto of_manual = matches(manual, std::regex("\\.TP\n\\.BI? (?:-h, )?--([a-z0-9-]+)"));
  EXPECT_EQ(of_help, of_manual);
  EXPECT_GT(of_help.size(), 40U);
}

}  // namespace
}  // namespace mdpipe::sim
