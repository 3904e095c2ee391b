#include "libshared/json/json_writer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace mdpipe {
namespace {

TEST(JsonWriter, commas_stand_between_members_and_between_elements) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .member("a", 1)
      .key("list")
      .begin_array()
      .value(1)
      .value("x")
      .begin_object()
      .end_object();
  json.end_array().key("inner").begin_object().member("b", true).end_object().member("c", false).end_object();
  EXPECT_EQ(out, R"({"a":1,"list":[1,"x",{}],"inner":{"b":true},"c":false})");
}

TEST(JsonWriter, numbers) {
  std::string out;
  JsonWriter json(out);
  json.begin_array()
      .value(std::numeric_limits<std::int64_t>::min())
      .value(std::numeric_limits<std::uint64_t>::max())
      .value(0.1)
      .value(12000.0)
      .value(1e300)
      .value(std::numeric_limits<double>::quiet_NaN())
      .end_array();
  EXPECT_EQ(out, "[-9223372036854775808,18446744073709551615,0.1,12000,1e+300,null]");
}

TEST(JsonWriter, texts_and_keys_are_escaped) {
  std::string out;
  JsonWriter(out).begin_object().member("a\"b", std::string("line\n\x01")).end_object();
  EXPECT_EQ(out, R"({"a\"b":"line\u000a\u0001"})");
}

TEST(JsonWriter, raw_text_counts_as_a_value) {
  std::string out;
  JsonWriter(out).begin_array().raw("1.50").raw("{}").value(2).end_array();
  EXPECT_EQ(out, "[1.50,{},2]");
}

TEST(JsonWriter, continues_what_the_string_has_already) {
  std::string out = "data: ";
  JsonWriter(out).member("a", 1).member("b", 2);
  EXPECT_EQ(out, R"(data: "a":1,"b":2)");
}

}  // namespace
}  // namespace mdpipe
