#include "metrics-agent/http/page/page_text.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace mdpipe::agent {
namespace {

std::string gunzip(std::string packed, std::size_t bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(bytes + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// Writes so many lines, settling after each; returns the largest piece that ever stood there.
std::size_t write_lines(PageText& page, int lines, std::string& all) {
  std::size_t largest = 0;
  for (int i = 0; i < lines; ++i) {
    const std::string line = "collector_messages_received_total " + std::to_string(i) + "\n";
    page.text() += line;
    all += line;
    largest = std::max(largest, page.text().size());
    page.flush_if_large();
  }
  return largest;
}

TEST(PageText, plain_is_what_was_written) {
  PageText page(false);
  std::string all;
  write_lines(page, 10'000, all);
  EXPECT_EQ(page.take(), all);
}

TEST(PageText, gzip_is_undone_by_zlib) {
  for (const int lines : {0, 1, 50, 30'000}) {
    PageText page(true);
    std::string all;
    write_lines(page, lines, all);
    EXPECT_EQ(gunzip(page.take(), all.size()), all) << lines;
  }
}

TEST(PageText, a_gzipped_page_never_stands_there_as_a_whole) {
  PageText page(true);
  std::string all;
  EXPECT_LT(write_lines(page, 30'000, all), PageText::kPieceBytes + 100);
  EXPECT_GT(all.size(), 10 * PageText::kPieceBytes);
  EXPECT_LT(page.take().size(), all.size() / 3);
}

}  // namespace
}  // namespace mdpipe::agent
