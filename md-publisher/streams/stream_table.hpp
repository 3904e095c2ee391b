#pragma once
// Everything that is the same for all events of one (type, exchange, symbol), made once: the front of its
// XADD command and the series it is counted in. And everything that is the same for all that is written to
// one key of Redis: its name and its limits. Only the table changes them.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/intern/string_index.hpp"
#include "libshared/metrics/collector.hpp"
#include "md-publisher/streams/stream_key.hpp"

namespace mdpipe::publisher {

struct Stream;

struct RedisKey {
  std::string name;          // "md:trade"
  std::uint32_t id = 0;      // 0, 1, 2, ...
  std::uint64_t maxlen = 0;  // the shortest that one of its types is trimmed to; 0: none is trimmed
  std::chrono::milliseconds maxage{0};  // the same
  std::vector<const Stream*> feeds;     // what is written to it
  metrics::Series removed;              // entries that someone else removed
};

struct Stream {
  std::uint32_t id = 0;  // 0, 1, 2, ...
  std::string type, exchange, symbol;
  const RedisKey* key = nullptr;
  std::string xadd_front;  // the command up to its first field, without the argument count in front
  std::size_t front_words = 0;
  metrics::Series published, bytes, latency;
};

class StreamTable {
 public:
  StreamTable(StreamNaming naming, TrimPolicy trim, metrics::MetricsCollector& collector);

  // Null if the limit of streams is reached.
  const Stream* find(std::string_view type, std::string_view exchange, std::string_view symbol);

 private:
  Stream make(const RedisKey& key, std::string_view type, std::string_view exchange, std::string_view symbol);
  RedisKey& key_of(std::string_view type, std::string_view exchange, std::string_view symbol);

  StreamNaming naming_;
  TrimPolicy trim_;
  metrics::MetricsCollector& collector_;
  StringIndex index_;
  // An event in flight points at its stream, a stream at its key.
  std::map<std::string, std::unique_ptr<RedisKey>, std::less<>> keys_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::string key_;
};

}  // namespace mdpipe::publisher
