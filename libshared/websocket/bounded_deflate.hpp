#pragma once
// websocketpp limits only the compressed size of a frame; this limits what it inflates to. Include it only
// where websocketpp itself is included.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>
#include <websocketpp/processors/base.hpp>

namespace mdpipe {

struct InflateLimits {
  std::size_t
      keep_bytes_max;  // of a frame; one byte more is kept, so that the frame is recognised as too large
  std::size_t give_up_bytes_max;  // a frame that inflates to more than this fails the connection
};

// Inflates a few bytes at a time, keeps what fits, and throws the rest away.
template <typename Config>
class BoundedDeflate : public websocketpp::extensions::permessage_deflate::enabled<Config> {
 public:
  // Set before the first connection; one value for the process.
  static inline InflateLimits limits{8U << 20U, 128U << 20U};

  websocketpp::lib::error_code decompress(const std::uint8_t* data, std::size_t bytes, std::string& out) {
    constexpr std::size_t kStepBytes = 256;  // inflates to at most 256 KiB
    if (out.empty()) inflated_ = 0;
    for (std::size_t done = 0; done < bytes; done += kStepBytes) {
      piece_.clear();
      const auto ec = Base::decompress(data + done, std::min(kStepBytes, bytes - done), piece_);
      if (ec) return ec;
      inflated_ += piece_.size();
      const std::size_t keep_max = limits.keep_bytes_max + 1;
      out.append(piece_, 0, keep_max - std::min(out.size(), keep_max));
      if (inflated_ > limits.give_up_bytes_max) {
        return websocketpp::processor::error::make_error_code(websocketpp::processor::error::message_too_big);
      }
    }
    return {};
  }

 private:
  using Base = websocketpp::extensions::permessage_deflate::enabled<Config>;
  std::string piece_;
  std::size_t inflated_ = 0;
};

}  // namespace mdpipe
