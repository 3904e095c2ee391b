#include "md-publisher/stream_table.hpp"

#include "md-publisher/resp.hpp"

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
  if (*id == streams_.size()) streams_.push_back(std::make_unique<Stream>(make(type, exchange, symbol)));
  return streams_[*id].get();
}

Stream StreamTable::make(std::string_view type, std::string_view exchange, std::string_view symbol) {
  Stream stream;
  stream.name = naming_.name(type, exchange, symbol);
  resp::append_bulk("XADD", stream.xadd_front);
  resp::append_bulk(stream.name, stream.xadd_front);
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
  stream.published = collector_.series(Metric::MessagesPublished, {exchange, stream.name, symbol});
  stream.bytes = collector_.series(Metric::PublishedBytes, {exchange, stream.name, symbol});
  stream.latency = collector_.series(Metric::PublishLatency, {exchange, stream.name});
  return stream;
}

}  // namespace mdpipe::publisher
