#pragma once
// The text of a page while it grows. With gzip it is packed in pieces as it comes, so that the page never
// stands in memory as a whole; without, it is the page. Knows nothing of what is written.
#include <zlib.h>

#include <cstddef>
#include <string>

namespace mdpipe::agent {

class PageText {
 public:
  explicit PageText(bool gzip);
  ~PageText();
  PageText(const PageText&) = delete;
  PageText& operator=(const PageText&) = delete;

  // What comes next is appended here; only that, as what is before may be gone.
  std::string& text() { return text_; }
  // To be called between small pieces: packs what has come together once it is enough.
  void flush_if_large() {
    if (gzip_ && text_.size() >= kPieceBytes) pack(Z_NO_FLUSH);
  }
  // The page as it is to be sent. The last call.
  std::string take();

  static constexpr std::size_t kPieceBytes = 64U << 10U;

 private:
  void pack(int flush);

  bool gzip_;
  std::string text_, packed_;
  z_stream stream_{};
};

}  // namespace mdpipe::agent
