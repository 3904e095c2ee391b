#include <gtest/gtest.h>

#include "metrics-agent/forward/otlp/protobuf_reader.hpp"
#include "metrics-agent/forward/otlp/protobuf_writer.hpp"

namespace mdpipe::agent {
namespace {

TEST(Protobuf, writes_the_bytes_of_the_encodings_own_examples) {
  ProtobufWriter writer;
  writer.varint(1, 150);
  writer.text(2, "testing");
  writer.message(3, [&] { writer.varint(1, 150); });
  writer.signed_varint(4, -2);
  EXPECT_EQ(writer.release(), std::string("\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x20\x03"));
}

TEST(Protobuf, reads_what_it_writes) {
  const std::string long_text(300, 'x');
  ProtobufWriter writer;
  writer.fixed64(1, 0x0102030405060708U);
  writer.message(1000, [&] {
    writer.text(1, long_text);
    writer.message(2, [] {});
  });
  writer.number(3, -1.5);
  const std::string bytes = writer.release();
  ProtobufReader reader(bytes);
  EXPECT_EQ(reader.next()->value, 0x0102030405060708U);
  const auto message = reader.next();
  EXPECT_EQ(message->number, 1000U);
  ProtobufReader inner(message->bytes);
  EXPECT_EQ(inner.next()->bytes, long_text);
  EXPECT_TRUE(inner.next()->bytes.empty());
  EXPECT_FALSE(inner.next());
  EXPECT_TRUE(inner.is_whole());
  EXPECT_EQ(reader.next()->value, 0xbff8000000000000U);
  EXPECT_TRUE(reader.is_whole());
}

TEST(Protobuf, cutting_a_message_anywhere_is_noticed) {
  ProtobufWriter writer;
  writer.varint(1, 300);
  writer.text(2, "abc");
  writer.fixed64(3, 1);
  const std::string bytes = writer.release();
  const std::size_t ends[] = {3, 8};  // of whole fields
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    ProtobufReader reader(std::string_view(bytes).substr(0, size));
    while (reader.next()) {
    }
    EXPECT_EQ(reader.is_whole(), size == ends[0] || size == ends[1]) << size;
  }
}

TEST(Protobuf, what_is_no_message_is_not_read) {
  for (const std::string_view bytes : {"\x0b", "\x07", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                       "<html>", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"}) {
    ProtobufReader reader(bytes);
    while (reader.next()) {
    }
    EXPECT_FALSE(reader.is_whole()) << bytes;
  }
}

}  // namespace
}  // namespace mdpipe::agent
