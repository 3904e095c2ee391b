#include "metrics-agent/http/page/page_text.hpp"

#include <new>
#include <utility>

namespace mdpipe::agent {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's: 32 KiB, with gzip's head
constexpr int kGzipMemory = 8;        // zlib's default
constexpr int kGzipLevel = 1;         // a scrape is read once, by a host nearby
constexpr std::size_t kPackedStepBytes = 16U << 10U;

}  // namespace

PageText::PageText(bool gzip) : gzip_(gzip) {
  if (!gzip_) return;
  if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();  // the only possible failure here
}

PageText::~PageText() {
  if (gzip_) deflateEnd(&stream_);
}

std::string PageText::take() {
  if (!gzip_) return std::move(text_);
  pack(Z_FINISH);
  return std::move(packed_);
}

void PageText::pack(int flush) {
  stream_.next_in = reinterpret_cast<Bytef*>(text_.data());
  stream_.avail_in = static_cast<uInt>(text_.size());
  do {
    const std::size_t before = packed_.size();
    packed_.resize(before + kPackedStepBytes);
    stream_.next_out = reinterpret_cast<Bytef*>(packed_.data()) + before;
    stream_.avail_out = static_cast<uInt>(kPackedStepBytes);
    deflate(&stream_, flush);
    packed_.resize(packed_.size() - stream_.avail_out);
  } while (stream_.avail_out == 0);
  text_.clear();
}

}  // namespace mdpipe::agent
