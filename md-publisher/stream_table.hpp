#pragma once
// Everything that is the same for all events of one (type, exchange, symbol), made once: the front of its
// XADD command and the series it is counted in.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/intern/string_index.hpp"
#include "libshared/metrics/collector.hpp"
#include "md-publisher/stream_key.hpp"

namespace mdpipe::publisher {

struct Stream {
  std::string name;        // "md:trade"
  std::string xadd_front;  // the command up to its first field, without the argument count in front
  std::size_t front_words = 0;
  metrics::Series published, bytes, latency;
};

class StreamTable {
 public:
  StreamTable(StreamNaming naming, TrimPolicy trim, metrics::MetricsCollector& collector);

  // Null where the limit of streams is reached.
  const Stream* find(std::string_view type, std::string_view exchange, std::string_view symbol);

 private:
  Stream make(std::string_view type, std::string_view exchange, std::string_view symbol);

  StreamNaming naming_;
  TrimPolicy trim_;
  metrics::MetricsCollector& collector_;
  StringIndex index_;
  std::vector<std::unique_ptr<Stream>> streams_;  // an event in flight points at its stream
  std::string key_;
};

}  // namespace mdpipe::publisher
