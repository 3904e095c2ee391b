#pragma once
// The frames that the feed sends. They are rendered before the first one is sent, with their WebSocket
// headers, and stand one after the other in one buffer, so that many can be sent by one write. Only the
// timestamp in a frame is written when the frame is sent. Frames differ in prices, sizes and symbols; after
// the last one the feed starts again with the first one.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/feed/options.hpp"

namespace mdpipe::bench {

enum class FrameKind : std::uint8_t { Trade, Ticker, Book };
constexpr std::size_t kFrameKinds = 3;

struct Frame {
  std::size_t offset, size;
  std::size_t text;       // offset of the JSON behind the WebSocket header
  std::size_t timestamp;  // offset of its text
  FrameKind kind;
};

// "2026-09-23T03:25:47.765Z", renewed once a millisecond.
class TimestampText {
 public:
  static constexpr std::size_t kSize = 24;
  std::string_view at(std::int64_t unix_ns);

 private:
  std::int64_t ms_ = -1;
  std::array<char, kSize + 1> text_{};
};

class FramePool {
 public:
  explicit FramePool(const Options& options);

  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  [[nodiscard]] const Frame& operator[](std::size_t index) const { return frames_[index]; }
  void stamp(const Frame& frame, std::string_view timestamp);
  // The JSON of a frame, without the header.
  [[nodiscard]] std::string_view text(const Frame& frame) const;
  // The bytes of neighbouring frames, first to last included.
  [[nodiscard]] std::string_view bytes(std::size_t first, std::size_t last) const;

 private:
  std::string bytes_;
  std::vector<Frame> frames_;
};

}  // namespace mdpipe::bench
