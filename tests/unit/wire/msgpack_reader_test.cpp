#include "libshared/wire/msgpack_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::wire {
namespace {

template <typename Value>
std::string as_msgpack(const Value& value) {
  ByteBuffer buffer;
  msgpack::packer<ByteBuffer>(buffer).pack(value);
  return std::string(buffer.view());
}

TEST(MsgpackReader, reads_what_msgpack_writes) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const std::uint64_t number = std::numeric_limits<std::uint64_t>::max() >> bits;
    EXPECT_EQ(MsgpackReader(as_msgpack(number)).read_uint(), number);
    EXPECT_EQ(MsgpackReader(as_msgpack(number)).read_double(), static_cast<double>(number));
    const std::int64_t below = std::numeric_limits<std::int64_t>::min() >> bits;
    EXPECT_EQ(MsgpackReader(as_msgpack(below)).read_int(), below);
    EXPECT_THROW(MsgpackReader(as_msgpack(below)).read_uint(), MsgpackReader::Malformed);
  }
  EXPECT_EQ(MsgpackReader(as_msgpack(1.25)).read_double(), 1.25);
  EXPECT_EQ(MsgpackReader(as_msgpack(1.25F)).read_double(), 1.25);
  EXPECT_TRUE(MsgpackReader(as_msgpack(true)).read_bool());
  for (const std::size_t length : {0U, 31U, 32U, 255U, 256U, 65'535U, 65'536U}) {
    const std::string text = as_msgpack(std::string(length, 'x'));
    EXPECT_EQ(MsgpackReader(text).read_text().size(), length);
    const std::string array = as_msgpack(std::vector<int>(length, 1));
    EXPECT_EQ(MsgpackReader(array).read_array(), length);
  }
}

TEST(MsgpackReader, tells_the_kind_of_the_next_value) {
  using Kind = MsgpackReader::Kind;
  const auto kind_of = [](std::string_view bytes) { return MsgpackReader(bytes).kind(); };
  for (const std::uint64_t number : {0ULL, 127ULL, 128ULL, 65'536ULL, ~0ULL})
    EXPECT_EQ(kind_of(as_msgpack(number)), Kind::Uint) << number;
  for (const std::int64_t number : {-1LL, -33LL, -40'000LL, -3'000'000'000LL})
    EXPECT_EQ(kind_of(as_msgpack(number)), Kind::Int) << number;
  EXPECT_EQ(kind_of("\xd1\x7f\xff"), Kind::Uint);  // in a signed form
  EXPECT_EQ(kind_of(as_msgpack(1.25)), Kind::Float);
  EXPECT_EQ(kind_of(as_msgpack(1.25F)), Kind::Float);
  EXPECT_EQ(kind_of(as_msgpack(false)), Kind::Bool);
  EXPECT_EQ(kind_of(as_msgpack(std::string(300, 'x'))), Kind::Text);
  EXPECT_EQ(kind_of(as_msgpack(std::vector<char>(3))), Kind::Bytes);
  EXPECT_EQ(kind_of(as_msgpack(std::vector<int>(20))), Kind::Array);
  EXPECT_EQ(kind_of(as_msgpack(std::map<int, int>{{1, 2}})), Kind::Map);
  EXPECT_EQ(kind_of("\xc0"), Kind::Nil);
  EXPECT_EQ(kind_of("\xd6\x01"
                    "data"),
            Kind::Extension);
  EXPECT_EQ(kind_of("\xc1"), Kind::Invalid);
  EXPECT_THROW(kind_of(""), MsgpackReader::Malformed);
}

TEST(MsgpackReader, reads_bytes_and_nil) {
  EXPECT_EQ(MsgpackReader(as_msgpack(std::vector<char>{'a', 'b'})).read_bytes(), "ab");
  EXPECT_THROW(MsgpackReader(as_msgpack("ab")).read_bytes(), MsgpackReader::Malformed);
  EXPECT_THROW(MsgpackReader("\x01").read_nil(), MsgpackReader::Malformed);
}

TEST(MsgpackReader, skips_any_value_and_no_more) {
  const std::map<std::string, std::vector<std::map<int, double>>> nested = {{"a", {{{1, 2.5}}, {}}},
                                                                            {"b", {}}};
  const std::string ext8 = "\xc7\x03\x01xyz";
  for (const std::string& value :
       {as_msgpack(nested), as_msgpack(-5), as_msgpack(1.5F), as_msgpack(false),
        as_msgpack(msgpack::type::nil_t()), as_msgpack(std::vector<char>(300, 'x')),
        as_msgpack(std::string(70'000, 'x')), ext8, std::string("\xd4\x01x"),
        as_msgpack(std::uint64_t{1} << 63U)}) {
    const std::string bytes = value + as_msgpack(77);
    MsgpackReader in(bytes);
    in.skip();
    EXPECT_EQ(in.read_uint(), 77U) << static_cast<int>(value.front());
    for (std::size_t length = 0; length < std::min<std::size_t>(value.size(), 64); ++length)
      EXPECT_THROW(MsgpackReader(std::string_view(value).substr(0, length)).skip(), MsgpackReader::Malformed);
  }
}

TEST(MsgpackReader, sizes_that_promise_too_much_are_refused) {
  EXPECT_THROW(MsgpackReader("\xdd\xff\xff\xff\xff").read_array(), MsgpackReader::Malformed);
  EXPECT_THROW(MsgpackReader("\xdf\xff\xff\xff\xff").read_map(), MsgpackReader::Malformed);
  EXPECT_THROW(MsgpackReader(std::string(10'000, '\x91')).skip(), MsgpackReader::Malformed);
}

}  // namespace
}  // namespace mdpipe::wire
