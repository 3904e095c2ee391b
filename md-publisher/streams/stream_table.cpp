#include "md-publisher/streams/stream_table.hpp"

#include <algorithm>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

// Streams cost memory here and in Redis; symbols of all exchanges together are a few thousand.
constexpr std::size_t kStreamsMax = 100'000;

}  // namespace

StreamTable::StreamTable(StreamNaming naming, TrimPolicy trim, metrics::MetricsCollector& collector)
    : naming_(std::move(naming)), trim_(std::move(trim)), collector_(collector), index_(kStreamsMax) {}

const Stream* StreamTable::find(std::string_view type, std::string_view exchange, std::string_view symbol) {
  key_.assign(type).push_back('\0');
  key_.append(exchange).push_back('\0');
  key_.append(symbol);
  const auto id = index_.find_or_add(key_);
  if (!id) return nullptr;
  if (*id == streams_.size()) {
    RedisKey& key = key_of(type, exchange, symbol);
    streams_.push_back(std::make_unique<Stream>(make(key, type, exchange, symbol)));
    streams_.back()->id = *id;
    key.feeds.push_back(streams_.back().get());
  }
  return streams_[*id].get();
}

RedisKey& StreamTable::key_of(std::string_view type, std::string_view exchange, std::string_view symbol) {
  const std::string name = naming_.name(type, exchange, symbol);
  auto& key = keys_[name];
  if (!key) {
    key = std::make_unique<RedisKey>();
    key->name = name;
    key->id = static_cast<std::uint32_t>(keys_.size() - 1);
    key->removed = collector_.series(metrics::Metric::StreamEntriesRemoved, {name});
  }
  if (const std::uint64_t maxlen = trim_.maxlen(type); maxlen > 0)
    key->maxlen = key->maxlen == 0 ? maxlen : std::min(key->maxlen, maxlen);
  if (const auto maxage = trim_.maxage(type); maxage.count() > 0)
    key->maxage = key->maxage.count() == 0 ? maxage : std::min(key->maxage, maxage);
  return *key;
}

Stream StreamTable::make(const RedisKey& key, std::string_view type, std::string_view exchange,
                         std::string_view symbol) {
  Stream stream;
  stream.type = type;
  stream.exchange = exchange;
  stream.symbol = symbol;
  stream.key = &key;
  resp::append_bulk("XADD", stream.xadd_front);
  resp::append_bulk(key.name, stream.xadd_front);
  stream.front_words = 2;
  if (const std::uint64_t maxlen = trim_.maxlen(type); maxlen > 0) {
    resp::append_bulk("MAXLEN", stream.xadd_front);
    resp::append_bulk("~", stream.xadd_front);
    resp::append_bulk(std::to_string(maxlen), stream.xadd_front);
    stream.front_words += 3;
  }
  resp::append_bulk("*", stream.xadd_front);
  ++stream.front_words;
  using metrics::Metric;
  stream.published = collector_.series(Metric::MessagesPublished, {exchange, key.name, symbol});
  stream.bytes = collector_.series(Metric::PublishedBytes, {exchange, key.name, symbol});
  stream.latency = collector_.series(Metric::PublishLatency, {exchange, key.name});
  return stream;
}

}  // namespace mdpipe::publisher
