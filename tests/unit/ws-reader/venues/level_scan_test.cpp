#include "ws-reader/venues/level_scan.hpp"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ws-reader/venues/json_reader.hpp"

namespace mdpipe::venues {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs owned(const std::vector<Level>& levels) {
  Pairs pairs;
  for (const Level& level : levels) pairs.emplace_back(level.price, level.size);
  return pairs;
}

template <typename Form>
Pairs scanned(std::string_view json) {
  std::vector<Level> levels{{"left", "over"}};
  EXPECT_TRUE(scan_levels<Form>(json, levels)) << json;
  return owned(levels);
}

TEST(LevelScan, reads_each_form_digit_by_digit) {
  EXPECT_THAT(scanned<QuotedObject>(R"([{"price":"455659.00","size":"0.10"},{"price":"1","size":"0"}])"),
              ElementsAre(Pair("455659.00", "0.10"), Pair("1", "0")));
  EXPECT_THAT(scanned<NumberObject>(R"([{"price":30000.0,"size":1e-8}])"),
              ElementsAre(Pair("30000.0", "1e-8")));
  EXPECT_THAT(scanned<QuotedPair>(R"([["0.0024","10"],["-3","1"]] )"),
              ElementsAre(Pair("0.0024", "10"), Pair("-3", "1")));
  EXPECT_THAT(scanned<QuotedPair>("[]"), IsEmpty());
}

TEST(LevelScan, leaves_every_other_form_to_the_general_way) {
  const std::string long_number(65, '1');
  for (const std::string& json :
       {std::string(), std::string("["), std::string("[,]"), std::string(R"([["1","2"])"),
        std::string(R"([["1","2"],])"), std::string(R"([["1","2","3"]])"), std::string(R"([["1", "2"]])"),
        std::string(R"([["1","-2"]])"), std::string(R"([["","2"]])"), std::string(R"([["01","2"]])"),
        std::string(R"([["1.","2"]])"), std::string(R"([["1","\u0032"]])"),
        R"([[")" + long_number + R"(","2"]])"}) {
    std::vector<Level> levels;
    EXPECT_FALSE(scan_levels<QuotedPair>(json, levels)) << json;
  }
}

// What a reader of levels makes of a text: the levels, or why it refuses them.
using Outcome = std::pair<Pairs, std::string>;

template <typename Read>
Outcome outcome(const std::string& array, Read read) {
  JsonReader reader;
  std::vector<Level> levels;
  try {
    auto& document = reader.read("{\"v\":" + array + "}");
    for (auto member : document.get_object()) read(member.value(), levels);
    expect_end(document);
    return {owned(levels), {}};
  } catch (const BadFrame& bad) {
    return {{}, std::string(bad.reason)};
  } catch (const simdjson::simdjson_error& error) {
    return {{}, simdjson::error_message(error.error())};
  }
}

// White space behind the first bracket makes the general way read all of it.
template <typename Read>
void expect_same_both_ways(const std::string& array, Read read) {
  EXPECT_EQ(outcome(array, read), outcome("[ " + array.substr(1), read)) << array;
}

TEST(LevelScan, says_of_any_text_what_the_general_way_says) {
  const std::string seeds[] = {R"([{"price":"455659.00","size":"0.10"},{"price":"1","size":"0"}])",
                               R"([{"price":30000.0,"size":1e-8},{"price":7,"size":0.0}])",
                               R"([["0.00240000","10.5"],["3","1"]])", "[]"};
  constexpr std::string_view kBytes = "[]{},:\"\\0123456789.-+eE priceszn";
  std::mt19937_64 random(11);
  const auto object = [](simdjson::ondemand::value value, std::vector<Level>& levels) {
    read_level_objects(value, levels);
  };
  const auto pair = [](simdjson::ondemand::value value, std::vector<Level>& levels) {
    read_level_pairs(value, levels);
  };
  for (int run = 0; run < 20'000; ++run) {
    std::string array = seeds[random() % std::size(seeds)];
    for (std::uint64_t change = random() % 3; change > 0; --change) {
      const std::size_t at = 1 + random() % (array.size() - 1);
      const char byte = kBytes[random() % kBytes.size()];
      if (random() % 2 == 0) {
        array[at] = byte;
      } else if (random() % 2 == 0) {
        array.insert(at, 1, byte);
      } else if (array.size() > 2) {
        array.erase(at, 1);
      }
    }
    expect_same_both_ways(array, object);
    expect_same_both_ways(array, pair);
  }
}

}  // namespace
}  // namespace mdpipe::venues
