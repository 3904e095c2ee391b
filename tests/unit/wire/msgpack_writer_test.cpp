#include "libshared/wire/msgpack_writer.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <msgpack.hpp>
#include <string>

namespace mdpipe::wire {
namespace {

// msgpack-c writes each value in its shortest form, too: the bytes must be the same.
template <typename Write, typename Pack>
void expect_same(Write write, Pack pack) {
  ByteBuffer ours;
  MsgpackWriter writer(ours);
  write(writer);
  ByteBuffer theirs;
  msgpack::packer<ByteBuffer> packer(theirs);
  pack(packer);
  EXPECT_EQ(ours.view(), theirs.view());
}

TEST(MsgpackWriter, writes_numbers_as_msgpack_c_does) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const int step : {-1, 0, 1}) {
      const std::uint64_t value = (std::uint64_t{1} << bit) + static_cast<std::uint64_t>(step);
      expect_same([&](auto& out) { out.number(value); }, [&](auto& out) { out.pack_uint64(value); });
      const auto signed_value = static_cast<std::int64_t>(value);
      const std::int64_t below = -1 - (signed_value & std::numeric_limits<std::int64_t>::max());
      expect_same([&](auto& out) { out.number(signed_value); },
                  [&](auto& out) { out.pack_int64(signed_value); });
      expect_same([&](auto& out) { out.number(below); }, [&](auto& out) { out.pack_int64(below); });
    }
  }
  for (std::int64_t value = -300; value <= 300; ++value)
    expect_same([&](auto& out) { out.number(value); }, [&](auto& out) { out.pack_int64(value); });
}

TEST(MsgpackWriter, writes_texts_and_counts_as_msgpack_c_does) {
  for (const std::uint32_t size : {0U, 1U, 15U, 16U, 31U, 32U, 255U, 256U, 65'535U, 65'536U, 70'000U}) {
    const std::string text(size, 't');
    expect_same([&](auto& out) { out.text(text); },
                [&](auto& out) { out.pack_str(size).pack_str_body(text.data(), size); });
    expect_same([&](auto& out) { out.array(size); }, [&](auto& out) { out.pack_array(size); });
    expect_same([&](auto& out) { out.map(size); }, [&](auto& out) { out.pack_map(size); });
  }
}

TEST(ByteBuffer, keeps_its_memory_and_nothing_else_when_cleared) {
  ByteBuffer buffer;
  for (int round = 0; round < 3; ++round) {
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
      const std::string piece = std::to_string(round * 1000 + i);
      buffer.append(piece);
      buffer.push_back('|');
      expected += piece + '|';
    }
    ASSERT_EQ(buffer.view(), expected);
    buffer.clear();
    ASSERT_TRUE(buffer.empty());
  }
}

TEST(ByteBuffer, leaves_an_empty_one_behind_when_moved) {
  ByteBuffer first;
  first.append("abc");
  ByteBuffer second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  first.append("x");
  EXPECT_EQ(first.view(), "x");
  first = std::move(second);
  EXPECT_EQ(first.view(), "abc");
  const ByteBuffer copy = first;
  first.clear();
  EXPECT_EQ(copy.view(), "abc");
}

}  // namespace
}  // namespace mdpipe::wire
