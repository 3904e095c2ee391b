#include "md-publisher/transaction/batch_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <msgpack.hpp>
#include <type_traits>

#include "libshared/event/event.hpp"
#include "libshared/json/json_writer.hpp"
#include "libshared/wire/json.hpp"
#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

using Reader = wire::MsgpackReader;
using Kind = Reader::Kind;

// An event lies in its batch, a value in its event.
constexpr int kEventDepthMax = Reader::kDepthMax - 1;
constexpr int kValueDepthMax = kEventDepthMax - 1;

// The keys that say where an event goes; all others are only copied.
enum class Key { Other, Type, Exchange, Symbol, Recv, Channel, State, Reason, Since };
constexpr std::size_t kKeys = 9;

Key find_key(std::string_view name) {
  switch (name.size()) {
    case 4:
      if (name == "type") return Key::Type;
      return name == "recv" ? Key::Recv : Key::Other;
    case 5:
      if (name == "state") return Key::State;
      return name == "since" ? Key::Since : Key::Other;
    case 6:
      if (name == "symbol") return Key::Symbol;
      return name == "reason" ? Key::Reason : Key::Other;
    case 7:
      return name == "channel" ? Key::Channel : Key::Other;
    case 8:
      return name == "exchange" ? Key::Exchange : Key::Other;
    default:
      return Key::Other;
  }
}

// What an event says of itself, whatever its other keys. Channel, state, reason and since are those of an
// event of type `feed`.
struct Routing {
  std::array<std::string_view, kKeys> texts{};  // by key; under Other the last of them
  std::int64_t recv = 0;
  std::int64_t since = 0;

  [[nodiscard]] std::string_view operator[](Key key) const { return texts[static_cast<std::size_t>(key)]; }
  std::string_view& operator[](Key key) { return texts[static_cast<std::size_t>(key)]; }
  // Returns the number.
  std::uint64_t note(Key key, std::uint64_t number) {
    if (key == Key::Recv) recv = static_cast<std::int64_t>(number);
    if (key == Key::Since) since = static_cast<std::int64_t>(number);
    return number;
  }
  [[nodiscard]] bool is_complete() const {
    return !(*this)[Key::Type].empty() && !(*this)[Key::Exchange].empty() && !(*this)[Key::Symbol].empty();
  }
};

bool is_text(Kind kind) { return kind == Kind::Text || kind == Kind::Bytes; }

std::string_view read_text(Reader& in, Kind kind) {
  return kind == Kind::Bytes ? in.read_bytes() : in.read_text();
}

std::string state_json(const Routing& feed) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("state", feed[Key::State]).member("since", feed.since);
  json.member("reason", feed[Key::Reason]).end_object();
  return out;
}

// Reads an event into the words of an entry, all but the stream's name. What goes where is in `routing`.
class EntryReader {
 public:
  EntryReader(EntryFormat format, wire::ByteBuffer& body, wire::ByteBuffer& scratch)
      : as_fields_(format == EntryFormat::Fields), body_(body), scratch_(scratch) {}

  // False if it is no event: no map with texts for keys. The reader moves behind it either way.
  bool read(Reader& in) {
    body_.clear();
    routing_ = Routing();
    const char* const begin = in.position();
    if (in.kind() != Kind::Map) return in.skip(kEventDepthMax), false;
    const std::uint32_t keys = in.read_map();
    bool is_event = true;
    for (std::uint32_t i = 0; i < keys; ++i) is_event = read_pair(in) && is_event;
    words_ = as_fields_ ? 2 * std::size_t{keys} : 2;
    if (!as_fields_) {
      resp::append_bulk("e", body_);
      resp::append_bulk({begin, static_cast<std::size_t>(in.position() - begin)}, body_);
    }
    return is_event && routing_.is_complete();
  }

  [[nodiscard]] const Routing& routing() const { return routing_; }
  [[nodiscard]] std::size_t words() const { return words_; }

 private:
  // False if it makes the event malformed.
  bool read_pair(Reader& in) {
    const Kind kind = in.kind();
    if (!is_text(kind)) {
      in.skip(kValueDepthMax);
      in.skip(kValueDepthMax);
      return false;
    }
    const std::string_view name = read_text(in, kind);
    put(name);
    return read_value(in, find_key(name));
  }

  // Plain values as they are; arrays and maps as JSON text.
  bool read_value(Reader& in, Key key) {
    const Kind kind = in.kind();
    switch (kind) {
      case Kind::Text:
      case Kind::Bytes:
        put(routing_[key] = read_text(in, kind));
        return true;
      case Kind::Uint:
        put(routing_.note(key, in.read_uint()));
        return true;
      case Kind::Int:
        put(in.read_int());
        return true;
      case Kind::Array:
      case Kind::Map:
        put_nested(in);
        return true;
      case Kind::Float:
        put(fmt::format("{}", in.read_double()));
        return true;
      case Kind::Bool:
        put(in.read_bool() ? "true" : "false");
        return true;
      case Kind::Nil:
        in.read_nil();
        put("");
        return true;
      case Kind::Extension:
      case Kind::Invalid:
        in.skip();
        return false;
    }
    return false;
  }

  void put(std::string_view word) {
    if (as_fields_) resp::append_bulk(word, body_);
  }
  template <typename Number, std::enable_if_t<std::is_integral_v<Number>, int> = 0>
  void put(Number number) {
    const fmt::format_int digits(number);
    put(std::string_view(digits.data(), digits.size()));
  }
  void put_nested(Reader& in) {
    if (!as_fields_) return in.skip(kValueDepthMax);
    scratch_.clear();
    wire::append_json(in, kValueDepthMax, scratch_);
    put(scratch_.view());
  }

  bool as_fields_;
  wire::ByteBuffer& body_;
  wire::ByteBuffer& scratch_;
  Routing routing_;
  std::size_t words_ = 0;
};

// An event of type `feed` is the new state of its feed.
void note_state(const Routing& event, Transaction& transaction) {
  if (event[Key::Type] != to_string(EventType::Feed)) return;
  if (event[Key::Channel].empty() || event[Key::State].empty()) return;
  transaction.set_state(
      fmt::format("{}:{}:{}", event[Key::Exchange], event[Key::Channel], event[Key::Symbol]),
      state_json(event));
}

}  // namespace

BatchCount BatchWriter::write(std::string_view payload, std::uint32_t skip, std::uint32_t count,
                              Transaction& transaction, std::uint64_t first_seq) {
  BatchCount result;
  EntryReader entry(format_, body_, scratch_);
  try {
    Reader in(payload);
    const std::uint32_t events = in.read_array();
    for (std::uint32_t i = 0; i < std::min(events, count); ++i) {
      if (i < skip) {
        in.skip(kEventDepthMax);
        continue;
      }
      const Routing& event = entry.routing();
      const Stream* const stream =
          entry.read(in) ? streams_.find(event[Key::Type], event[Key::Exchange], event[Key::Symbol])
                         : nullptr;
      if (stream == nullptr) {
        ++result.malformed;
        continue;
      }
      transaction.add(*stream, body_.view(), entry.words(), UnixNanos{event.recv}, first_seq + i);
      note_state(event, transaction);
      ++result.added;
    }
    result.complete = events == count && in.at_end();
  } catch (const Reader::Malformed&) {
    result.complete = false;
  }
  return result;
}

void BatchWriter::write_gap(const Stream& feed, const GapNote& note, UnixNanos now,
                            Transaction& transaction) {
  constexpr std::uint32_t kKeys = 9;
  gap_.clear();
  msgpack::packer<wire::ByteBuffer> packer(gap_);
  const auto text = [&packer](std::string_view value) {
    const auto bytes = static_cast<std::uint32_t>(value.size());
    packer.pack_str(bytes).pack_str_body(value.data(), bytes);
  };
  const auto put = [&](std::string_view key, std::string_view value) {
    text(key);
    text(value);
  };
  const auto put_time = [&](std::string_view key, UnixNanos time) {
    text(key);
    packer.pack_int64(time.count);
  };
  packer.pack_map(note.lost ? kKeys + 1 : kKeys);
  put("type", to_string(EventType::Feed));
  put("exchange", feed.exchange);
  put("symbol", feed.symbol);
  put_time("ts", {});
  put_time("recv", now);
  put("channel", feed.type);
  put("state", to_string(FeedState::Gap));
  put_time("since", now);
  put("reason", note.reason);
  if (note.lost) {
    text("lost");
    packer.pack_uint64(*note.lost);
  }
  Reader in(gap_.view());
  EntryReader entry(format_, body_, scratch_);
  entry.read(in);
  const Stream* const stream = streams_.find(to_string(EventType::Feed), feed.exchange, feed.symbol);
  if (stream != nullptr) transaction.add(*stream, body_.view(), entry.words(), now, 0);
}

}  // namespace mdpipe::publisher
