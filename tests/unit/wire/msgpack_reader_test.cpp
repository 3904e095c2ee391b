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
std::string packed(const Value& value) {
  ByteBuffer buffer;
  msgpack::packer<ByteBuffer>(buffer).pack(value);
  return std::string(buffer.view());
}

TEST(MsgpackReader, ReadsWhatMsgpackWrites) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const std::uint64_t number = std::numeric_limits<std::uint64_t>::max() >> bits;
    EXPECT_EQ(MsgpackReader(packed(number)).read_uint(), number);
    EXPECT_EQ(MsgpackReader(packed(number)).read_double(), static_cast<double>(number));
    const std::int64_t below = std::numeric_limits<std::int64_t>::min() >> bits;
    EXPECT_EQ(MsgpackReader(packed(below)).read_int(), below);
    EXPECT_THROW(MsgpackReader(packed(below)).read_uint(), MsgpackReader::Malformed);
  }
  EXPECT_EQ(MsgpackReader(packed(1.25)).read_double(), 1.25);
  EXPECT_EQ(MsgpackReader(packed(1.25F)).read_double(), 1.25);
  EXPECT_TRUE(MsgpackReader(packed(true)).read_bool());
  for (const std::size_t length : {0U, 31U, 32U, 255U, 256U, 65'535U, 65'536U}) {
    const std::string text = packed(std::string(length, 'x'));
    EXPECT_EQ(MsgpackReader(text).read_text().size(), length);
    const std::string array = packed(std::vector<int>(length, 1));
    EXPECT_EQ(MsgpackReader(array).read_array(), length);
  }
}

TEST(MsgpackReader, SkipsAnyValueAndNoMore) {
  const std::map<std::string, std::vector<std::map<int, double>>> nested = {{"a", {{{1, 2.5}}, {}}},
                                                                            {"b", {}}};
  const std::string ext8 = "\xc7\x03\x01xyz";
  for (const std::string& value :
       {packed(nested), packed(-5), packed(1.5F), packed(false), packed(msgpack::type::nil_t()),
        packed(std::vector<char>(300, 'x')), packed(std::string(70'000, 'x')), ext8, std::string("\xd4\x01x"),
        packed(std::uint64_t{1} << 63U)}) {
    const std::string bytes = value + packed(77);
    MsgpackReader in(bytes);
    in.skip();
    EXPECT_EQ(in.read_uint(), 77U) << static_cast<int>(value.front());
    for (std::size_t length = 0; length < std::min<std::size_t>(value.size(), 64); ++length)
      EXPECT_THROW(MsgpackReader(std::string_view(value).substr(0, length)).skip(), MsgpackReader::Malformed);
  }
}

TEST(MsgpackReader, SizesThatPromiseTooMuchAreRefused) {
  EXPECT_THROW(MsgpackReader("\xdd\xff\xff\xff\xff").read_array(), MsgpackReader::Malformed);
  EXPECT_THROW(MsgpackReader("\xdf\xff\xff\xff\xff").read_map(), MsgpackReader::Malformed);
  EXPECT_THROW(MsgpackReader(std::string(10'000, '\x91')).skip(), MsgpackReader::Malformed);
}

}  // namespace
}  // namespace mdpipe::wire
