#include "metrics-agent/forward/gzip.hpp"

#include <zlib.h>

#include <cassert>

namespace mdpipe::agent {

std::string gzip(std::string_view text) {
  constexpr int kGzipWindow = 15 + 16;  // 32 KiB, with gzip's head and tail
  constexpr int kMemoryLevel = 8;       // zlib's default
  // The fastest level: less processor time for slightly more bytes.
  constexpr int kLevel = Z_BEST_SPEED;
  z_stream stream{};
  int rc = deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
  assert(rc == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  rc = deflate(&stream, Z_FINISH);
  assert(rc == Z_STREAM_END);  // deflateBound reserved enough space
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace mdpipe::agent
