#include "libshared/wire/link.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <msgpack.hpp>

namespace mdpipe::wire {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

template <typename... Fields>
std::string packed_array(const Fields&... fields) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  packer.pack_array(sizeof...(fields));
  (packer.pack(fields), ...);
  return {buffer.data(), buffer.size()};
}

std::string header_error(std::string_view bytes) {
  const auto result = decode_batch_header(bytes);
  EXPECT_FALSE(result.ok());
  if (result.ok()) return {};
  EXPECT_EQ(result.error().kind, ErrorKind::Protocol);
  return result.error().message;
}

std::string position_error(std::string_view bytes) {
  const auto result = decode_position(bytes);
  EXPECT_FALSE(result.ok());
  return result.ok() ? std::string() : result.error().message;
}

TEST(BatchHeader, reads_back_as_written) {
  ByteBuffer bytes;
  encode(BatchHeader{"gmo@host", kMax, 7, 4'000'000'000U, 5, 4, 6, 7, true}, bytes);
  const auto header = decode_batch_header(bytes.view());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header.value().source, "gmo@host");
  EXPECT_EQ(header.value().epoch, kMax);
  EXPECT_EQ(header.value().first_seq, 7U);
  EXPECT_EQ(header.value().count, 4'000'000'000U);
  EXPECT_EQ(header.value().oldest, 5U);
  EXPECT_EQ(header.value().follows, 4U);
  EXPECT_EQ(header.value().confirmed, 6U);
  EXPECT_EQ(header.value().sent_ns, 7);
  EXPECT_TRUE(header.value().closes);
}

TEST(Position, reads_back_as_written) {
  for (const bool up : {true, false}) {
    ByteBuffer bytes;
    encode(Position{kMax, 2, 3, 4, up, 5, 6, !up, up}, bytes);
    const auto position = decode_position(bytes.view());
    ASSERT_TRUE(position.ok());
    EXPECT_EQ(position.value().instance, kMax);
    EXPECT_EQ(position.value().epoch, 2U);
    EXPECT_EQ(position.value().confirmed, 3U);
    EXPECT_EQ(position.value().accepted, 4U);
    EXPECT_EQ(position.value().redis_up, up);
    EXPECT_EQ(position.value().lost_after, 5U);
    EXPECT_EQ(position.value().lost_to, 6U);
    EXPECT_EQ(position.value().refused, !up);
    EXPECT_EQ(position.value().closed, up);
  }
}

TEST(Link, another_version_is_refused_by_name) {
  for (const std::uint32_t version : {0U, 1U, 99U}) {
    const std::string name = "wire version " + std::to_string(version);
    EXPECT_THAT(header_error(packed_array(version, "gmo", 1, 1, 1, 1, 1, 1, 1)), HasSubstr(name));
    EXPECT_THAT(header_error(packed_array(version, "a", "future", "form")), HasSubstr(name))
        << "whatever follows";
    EXPECT_THAT(position_error(packed_array(version, 1, 2, 3, 4, true)), HasSubstr(name));
    EXPECT_THAT(position_error(packed_array(version)), HasSubstr(name));
  }
}

TEST(Link, errors_name_the_message_and_the_fault) {
  EXPECT_THAT(header_error("\xc1"), HasSubstr("batch header"));
  EXPECT_THAT(header_error(packed_array()), HasSubstr("not an array"));
  EXPECT_THAT(header_error("\x01"), HasSubstr("not an array"));
  EXPECT_THAT(header_error(packed_array("1", "gmo", 1, 1, 1, 1, 1, 1, 1)), HasSubstr("no wire version"));
  EXPECT_THAT(header_error(packed_array(kWireVersion, "gmo", 1, 1, 1)), HasSubstr("5 fields"));
  EXPECT_THAT(header_error(packed_array(kWireVersion, 7, 1, 1, 1, 1, 1, 1, 1, false)), HasSubstr("type"));
  EXPECT_THAT(header_error(packed_array(kWireVersion, "gmo", -1, 1, 1, 1, 1, 1, 1, false)),
              HasSubstr("type"));
  EXPECT_THAT(header_error(packed_array(kWireVersion, "gmo", 1, 1, kMax, 1, 1, 1, 1, false)),
              HasSubstr("type"))
      << "count is 32 bits";
  EXPECT_THAT(position_error(packed_array(kWireVersion, 1, 2, 3, 4, 1, 1, 1, false, false)),
              HasSubstr("type"))
      << "redis_up is a boolean";
}

TEST(Link, a_source_has_at_most_128_characters) {
  const auto header = [](std::size_t chars) {
    return packed_array(kWireVersion, std::string(chars, 's'), 1, 1, 1, 1, 1, 1, 1, false);
  };
  EXPECT_TRUE(decode_batch_header(header(kSourceCharsMax)).ok());
  EXPECT_FALSE(decode_batch_header(header(kSourceCharsMax + 1)).ok());
}

TEST(Link, cut_anywhere_it_is_refused) {
  ByteBuffer header;
  encode(BatchHeader{"gmo", 1'700'000'000'000'000'000U, 7, 300, 5, 6, 6, 1}, header);
  for (std::size_t size = 0; size < header.size(); ++size) header_error(header.view().substr(0, size));
  ByteBuffer position;
  encode(Position{1'700'000'000'000'000'000U, 2, 3, 4, true}, position);
  for (std::size_t size = 0; size < position.size(); ++size) position_error(position.view().substr(0, size));
}

TEST(Link, hostile_sizes_take_no_memory) {
  EXPECT_THAT(header_error(std::string("\xdd\xff\xff\xff\xff", 5)), HasSubstr("refused"));
  EXPECT_THAT(header_error(std::string(100'000, '\x91')), HasSubstr("refused"));
}

}  // namespace
}  // namespace mdpipe::wire
