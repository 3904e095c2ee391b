#pragma once
// The text of a page while it is written. With gzip it is compressed piece by piece, so that the whole page
// is never in memory. Does not know what is written.
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

  // Append here. Earlier text may already be compressed and removed.
  std::string& text() { return text_; }
  // Call between small pieces: compresses the text once there is enough of it.
  void flush_if_large() {
    if (gzip_ && text_.size() >= kPieceBytes) pack(Z_NO_FLUSH);
  }
  // The finished page. The last call.
  std::string take();

  static constexpr std::size_t kPieceBytes = 64U << 10U;

 private:
  void pack(int flush);

  bool gzip_;
  std::string text_, packed_;
  z_stream stream_{};
};

}  // namespace mdpipe::agent
