#pragma once
// What the tests of the outbox share: small events, and batches read back with msgpack-c.
#include <chrono>
#include <map>
#include <msgpack.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "ws-reader/outbox/outbox.hpp"

namespace mdpipe::reader {

inline Moment operator+(Moment moment, std::chrono::nanoseconds span) {
  return {UnixNanos{moment.wall.count + span.count()}, moment.steady + span};
}

inline Event trade(std::string_view id = "1") {
  Event event;
  event.exchange = "gmo";
  event.symbol = "BTC_JPY";
  event.ts = UnixNanos{1};
  event.recv = UnixNanos{2};
  event.body = Trade{"100.5", "0.01", Side::Buy, id};
  return event;
}

inline Event ticker() {
  Event event = trade();
  event.body = Ticker{"1", "2", "3", {}, {}, {}};
  return event;
}

// The events of a sealed payload as msgpack-c reads them.
inline std::vector<std::uint64_t> seqs(std::string_view payload) {
  const auto handle = msgpack::unpack(payload.data(), payload.size());
  const msgpack::object& batch = handle.get();
  if (batch.type != msgpack::type::ARRAY) throw std::runtime_error("a batch that is no array");
  std::vector<std::uint64_t> out;
  for (std::uint32_t i = 0; i < batch.via.array.size; ++i) {
    const auto event = batch.via.array.ptr[i].as<std::map<std::string, msgpack::object>>();
    out.push_back(event.at("seq").as<std::uint64_t>());
  }
  return out;
}

// The events of a sealed payload, every value as text.
inline std::vector<std::map<std::string, std::string>> events_of(std::string_view payload) {
  const auto handle = msgpack::unpack(payload.data(), payload.size());
  std::vector<std::map<std::string, std::string>> out;
  for (const auto& event : handle.get().as<std::vector<std::map<std::string, msgpack::object>>>()) {
    auto& fields = out.emplace_back();
    for (const auto& [key, value] : event) {
      fields[key] = value.type == msgpack::type::STR ? value.as<std::string>()
                                                     : std::to_string(value.as<std::int64_t>());
    }
  }
  return out;
}

// Sends what the outbox may send, and returns the numbers of the events that went out.
inline std::vector<std::uint64_t> send_all(Outbox& outbox, Moment now) {
  std::vector<std::uint64_t> sent;
  while (const Batch* batch = outbox.next()) {
    for (const auto seq : seqs(batch->payload.view())) sent.push_back(seq);
    outbox.mark_sent(now);
  }
  return sent;
}

inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = first; i <= last; ++i) out.push_back(i);
  return out;
}

}  // namespace mdpipe::reader
