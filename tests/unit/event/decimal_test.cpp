#include "libshared/event/decimal.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mdpipe {
namespace {

TEST(Decimal, is_the_number_grammar_of_json) {
  for (const char* text :
       {"0", "-0", "7", "12.50", "0.000", "-1.5", "1e-08", "1E+5", "2.5e10", "13634496.0"}) {
    EXPECT_TRUE(is_decimal(text)) << text;
  }
  for (const char* text : {"",     "-",   "+1",  ".5",  "5.", "01", "-01", "1e",    "1e+", "1.e5",
                           "0x10", "NaN", "inf", "1,5", " 1", "1 ", "1_0", "1.2.3", "--1", "1e5.5"}) {
    EXPECT_FALSE(is_decimal(text)) << text;
  }
}

TEST(Decimal, has_at_most_64_characters) {
  EXPECT_TRUE(is_decimal(std::string(kDecimalCharsMax, '7')));
  EXPECT_FALSE(is_decimal(std::string(kDecimalCharsMax + 1, '7')));
}

int sign(int value) { return (value > 0) - (value < 0); }

TEST(Decimal, is_measured_at_the_front_of_a_text) {
  const std::pair<std::string_view, std::size_t> cases[] = {
      {"12.50\",", 5}, {"12", 2}, {"-0.5e-8x", 7}, {"1.", 1}, {"1e", 1}, {"1e+", 1},
      {"012", 1},      {"", 0},   {"-", 0},        {".5", 0}, {"x1", 0}};
  for (const auto& [text, length] : cases) EXPECT_EQ(decimal_length(text), length) << text;
}

TEST(Decimal, compares_by_value) {
  struct Case {
    const char* a;
    const char* b;
    int order;
  };
  const Case cases[] = {{"1", "1", 0},
                        {"1", "2", -1},
                        {"9", "10", -1},
                        {"10", "9.99", 1},
                        {"402.0", "401.902", 1},
                        {"1.50", "1.5", 0},
                        {"0", "-0.00e5", 0},
                        {"-1", "1", -1},
                        {"-2", "-1", -1},
                        {"-10", "-9", -1},
                        {"0", "-1", 1},
                        {"0", "0.0001", -1},
                        {"1e3", "1000", 0},
                        {"1e-8", "0.00000001", 0},
                        {"12e2", "1201", -1},
                        {"0.0599", "0.06", -1},
                        {"100.5", "99", 1},
                        {"1e9223372036854775807", "1e5", 1},
                        {"10.5e9223372036854775807", "1", 1},
                        {"1e-9223372036854775808", "1", -1},
                        {"0.001e-99999999999999999999", "1", -1},
                        {"-1e99999999999999999999", "1", -1},
                        {"123456789012345678901234567890", "123456789012345678901234567891", -1}};
  for (const Case& c : cases) {
    EXPECT_EQ(sign(compare_decimals(c.a, c.b)), c.order) << c.a << " and " << c.b;
    EXPECT_EQ(sign(compare_decimals(c.b, c.a)), -c.order) << c.b << " and " << c.a;
  }
}

// Every pair from a grid of texts against arithmetic on integers, so both the quick and the general path are
// compared.
TEST(Decimal, compares_like_integers) {
  for (int a = -1200; a <= 1200; a += 7) {
    for (int b = -1200; b <= 1200; b += 11) {
      const std::string left = std::to_string(a) + (a % 2 == 0 ? ".0" : "");
      const std::string right = std::to_string(b) + (b % 3 == 0 ? "e0" : "");
      ASSERT_EQ(sign(compare_decimals(left, right)), sign(a - b)) << left << " and " << right;
    }
  }
}

// Neighbours of a book: of one length, with the point at one place, or nearly so.
TEST(Decimal, compares_neighbours_like_numbers) {
  const char* texts[] = {"9.5",  "1.05", "10.5", "1.50", "15.0", "1050", "1e50", "1e05", "-1.0",
                         "-1.5", "0.10", "0.01", "99.9", "9.99", "99e9", "15e1", "1e15"};
  for (const std::string a : texts) {
    for (const std::string b : texts) {
      const double left = std::stod(a);
      const double right = std::stod(b);
      EXPECT_EQ(sign(compare_decimals(a, b)), static_cast<int>(left > right) - static_cast<int>(left < right))
          << a << " and " << b;
    }
  }
}

TEST(Decimal, zero_has_many_forms) {
  for (const char* text : {"0", "0.0", "0.00000000", "-0", "0e5", "-0.0E-7"})
    EXPECT_TRUE(is_zero(text)) << text;
  for (const char* text : {"1", "0.00000001", "-1", "1e-99", "10"}) EXPECT_FALSE(is_zero(text)) << text;
}

}  // namespace
}  // namespace mdpipe
