#include "ws-reader/outbox/loss_report.hpp"

#include <algorithm>
#include <msgpack.hpp>
#include <optional>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

constexpr std::string_view kReason = "ws-reader's retention was full: the oldest events were dropped";

// The fields of an event that a report needs.
struct Keys {
  std::string_view type, exchange, symbol, channel, state;
  std::int64_t recv = 0, from = 0, to = 0;
  std::uint64_t lost = 0;
};

std::string_view text_of(const msgpack::object& value) {
  if (value.type != msgpack::type::STR) return {};
  return {value.via.str.ptr, value.via.str.size};
}

std::int64_t int_of(const msgpack::object& value) {
  if (value.type == msgpack::type::POSITIVE_INTEGER) return static_cast<std::int64_t>(value.via.u64);
  return value.type == msgpack::type::NEGATIVE_INTEGER ? value.via.i64 : 0;
}

Keys read_keys(const msgpack::object_map& map) {
  Keys keys;
  const std::pair<std::string_view, std::string_view*> texts[] = {{"type", &keys.type},
                                                                  {"exchange", &keys.exchange},
                                                                  {"symbol", &keys.symbol},
                                                                  {"channel", &keys.channel},
                                                                  {"state", &keys.state}};
  const std::pair<std::string_view, std::int64_t*> numbers[] = {
      {"recv", &keys.recv}, {"from", &keys.from}, {"to", &keys.to}};
  for (std::uint32_t i = 0; i < map.size; ++i) {
    const std::string_view key = text_of(map.ptr[i].key);
    for (const auto& [name, target] : texts) {
      if (name == key) *target = text_of(map.ptr[i].val);
    }
    for (const auto& [name, target] : numbers) {
      if (name == key) *target = int_of(map.ptr[i].val);
    }
    if (key == "lost") keys.lost = static_cast<std::uint64_t>(int_of(map.ptr[i].val));
  }
  return keys;
}

void add_to(LossReport::Losses& losses, EventType channel, std::string_view symbol, LossReport::Loss more) {
  LossReport::Loss& loss = losses[{channel, std::string(symbol)}];
  if (loss.count == 0) loss.first = more.first;
  loss.count += more.count;
  loss.last = std::max(loss.last, more.last);
}

}  // namespace

void LossReport::add(std::string_view payload) {
  const auto handle = msgpack::unpack(payload.data(), payload.size());
  const msgpack::object& batch = handle.get();
  for (std::uint32_t i = 0; i < batch.via.array.size; ++i) {
    const Keys keys = read_keys(batch.via.array.ptr[i].via.map);
    const auto type = parse_event_type(keys.type);
    if (!type) continue;
    exchange_.assign(keys.exchange);
    const auto channel = parse_event_type(keys.channel);
    if (*type == EventType::Feed && keys.state == to_string(FeedState::Gap) && keys.lost > 0 && channel) {
      add_to(total_, *channel, keys.symbol, {keys.lost, UnixNanos{keys.from}, UnixNanos{keys.to}});
      continue;
    }
    const Loss loss{1, UnixNanos{keys.recv}, UnixNanos{keys.recv}};
    add_to(total_, *type, keys.symbol, loss);
    add_to(newly_lost_, *type, keys.symbol, loss);
  }
}

Batch LossReport::make_batch(std::uint64_t epoch, std::uint64_t last_seq, UnixNanos now) const {
  Batch batch;
  batch.epoch = epoch;
  batch.reports_losses = true;
  batch.count = static_cast<std::uint32_t>(total_.size());
  batch.first_seq = last_seq + 1 - batch.count;
  wire::begin_batch(batch.payload);
  std::uint64_t seq = batch.first_seq;
  for (const auto& [feed, loss] : total_) {
    const auto& [channel, symbol] = feed;
    wire::encode_event(
        {exchange_, symbol, UnixNanos{}, now,
         FeedChange{channel, FeedState::Gap, loss.first, kReason, loss.first, loss.last, loss.count}},
        seq++, batch.payload);
  }
  wire::seal_batch(batch.payload, batch.count);
  return batch;
}

}  // namespace mdpipe::reader
