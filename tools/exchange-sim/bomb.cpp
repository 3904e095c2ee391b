#include "tools/exchange-sim/bomb.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace mdpipe::sim {

void append_websocket_frame(Opcode opcode, std::string_view payload, bool compressed, std::string& out) {
  constexpr unsigned kFinal = 0x80U;
  constexpr unsigned kRsv1 = 0x40U;
  constexpr std::size_t kShortMax = 125;
  constexpr std::size_t kMediumMax = 65'535;
  out += static_cast<char>(kFinal | (compressed ? kRsv1 : 0U) | static_cast<unsigned>(opcode));
  const std::size_t size = payload.size();
  int length_bytes = 0;
  if (size <= kShortMax) {
    out += static_cast<char>(size);
  } else {
    length_bytes = size <= kMediumMax ? 2 : 8;
    out += static_cast<char>(length_bytes == 2 ? 126 : 127);
  }
  for (int shift = (length_bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>((size >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  out += payload;
}

namespace {

class RawDeflate {
 public:
  RawDeflate() {
    constexpr int kRawWindowBits = -15;
    constexpr int kMemoryLevel = 8;
    if (deflateInit2(&stream_, Z_BEST_COMPRESSION, Z_DEFLATED, kRawWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("zlib refused to start compressing");
    }
  }
  ~RawDeflate() { deflateEnd(&stream_); }
  RawDeflate(const RawDeflate&) = delete;
  RawDeflate& operator=(const RawDeflate&) = delete;

  void feed(std::string_view input, int flush) {
    std::string copy(input);  // zlib's input is not const
    stream_.next_in = reinterpret_cast<Bytef*>(copy.data());
    stream_.avail_in = static_cast<uInt>(copy.size());
    std::array<char, 16'384> buffer{};
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream_, flush);
      out_.append(buffer.data(), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  std::string take() { return std::move(out_); }

 private:
  z_stream stream_{};
  std::string out_;
};

}  // namespace

std::string deflate_bomb(std::size_t inflated_bytes) {
  constexpr std::string_view kHead = R"({"bomb":")";
  constexpr std::string_view kTail = R"("})";
  const std::string filler(1U << 16U, 'x');
  RawDeflate compressor;
  compressor.feed(kHead, Z_NO_FLUSH);
  std::size_t left = inflated_bytes - std::min(inflated_bytes, kHead.size() + kTail.size());
  while (left > 0) {
    const std::size_t part = std::min(left, filler.size());
    compressor.feed(std::string_view(filler).substr(0, part), Z_NO_FLUSH);
    left -= part;
  }
  compressor.feed(kTail, Z_SYNC_FLUSH);
  std::string payload = compressor.take();
  constexpr std::size_t kSyncTail = 4;  // RFC 7692: the flush's 00 00 ff ff is left out
  payload.resize(payload.size() - kSyncTail);
  std::string frame;
  append_websocket_frame(Opcode::Text, payload, true, frame);
  return frame;
}

}  // namespace mdpipe::sim
