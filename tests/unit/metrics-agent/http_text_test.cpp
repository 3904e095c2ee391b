#include <gtest/gtest.h>
#include <zlib.h>

#include "metrics-agent/http/http_server.hpp"

namespace mdpipe::agent {
namespace {

std::string gunzip(const std::string& packed, std::size_t bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string in = packed;
  std::string out(bytes, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  return out;
}

TEST(HttpText, GzipIsUsedOnlyWhereItIsAccepted) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, GZIP;q=0.5"));
  EXPECT_TRUE(accepts_gzip("br, gzip ;q=1"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("identity"));
  EXPECT_FALSE(accepts_gzip("notgzip"));
}

TEST(HttpText, GzipIsUndoneByZlib) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "collector_messages_received_total " + std::to_string(i) + "\n";
  const std::string packed = gzip(text);
  EXPECT_LT(packed.size(), text.size() / 3);
  EXPECT_EQ(gunzip(packed, text.size()), text);
}

}  // namespace
}  // namespace mdpipe::agent
