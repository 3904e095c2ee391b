#include "libshared/intern/string_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace mdpipe {
namespace {

TEST(StringIndex, numbers_names_in_the_order_of_first_sight) {
  StringIndex index(10);
  EXPECT_EQ(index.find_or_add("a"), 0U);
  EXPECT_EQ(index.find_or_add("b"), 1U);
  EXPECT_EQ(index.find_or_add("a"), 0U);
  EXPECT_EQ(index.find("b"), 1U);
  EXPECT_EQ(index.find("c"), std::nullopt);
  EXPECT_EQ(index.name(1), "b");
  EXPECT_EQ(index.size(), 2U);
}

TEST(StringIndex, takes_no_more_than_its_limit_and_still_finds_the_others) {
  StringIndex index(2);
  index.find_or_add("a");
  index.find_or_add("b");
  EXPECT_EQ(index.find_or_add("c"), std::nullopt);
  EXPECT_EQ(index.find_or_add("b"), 1U);
  EXPECT_EQ(index.size(), 2U);
}

TEST(StringIndex, a_limit_of_zero_takes_nothing) { EXPECT_EQ(StringIndex(0).find_or_add("a"), std::nullopt); }

TEST(StringIndex, the_empty_name_and_zero_bytes_are_names) {
  StringIndex index(10);
  const std::string with_zero("a\0b", 3);
  EXPECT_EQ(index.find_or_add(""), 0U);
  EXPECT_EQ(index.find_or_add("a"), 1U);
  EXPECT_EQ(index.find_or_add(with_zero), 2U);
  EXPECT_EQ(index.find(with_zero), 2U);
}

TEST(StringIndex, agrees_with_a_map_while_it_grows) {
  constexpr std::uint64_t kSeed = 11;
  std::mt19937_64 random(kSeed);
  StringIndex index(5'000);
  std::map<std::string, std::uint32_t> expected;
  for (int i = 0; i < 50'000; ++i) {
    const std::string name = "symbol" + std::to_string(random() % 8'000);
    const auto found = expected.find(name);
    const auto id = index.find_or_add(name);
    if (found != expected.end()) {
      ASSERT_EQ(id, found->second) << "seed " << kSeed;
    } else if (expected.size() < 5'000) {
      ASSERT_EQ(id, expected.size());
      expected.emplace(name, *id);
    } else {
      ASSERT_EQ(id, std::nullopt);
    }
  }
  for (const auto& [name, id] : expected) {
    ASSERT_EQ(index.find(name), id);
    ASSERT_EQ(index.name(id), name);
  }
}

}  // namespace
}  // namespace mdpipe
