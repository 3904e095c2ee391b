#include "md-publisher/batch_writer.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <msgpack.hpp>
#include <utility>

#include "libshared/event/event.hpp"
#include "libshared/json/json_string.hpp"
#include "libshared/wire/json_visitor.hpp"
#include "md-publisher/resp.hpp"

namespace mdpipe::publisher {
namespace {

// The deepest an event may nest: batch, event, levels, level.
constexpr int kDepthMax = 8;

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
};

std::string state_json(const Routing& feed) {
  std::string out = R"({"state":)";
  append_json_string(feed[Key::State], out);
  fmt::format_to(std::back_inserter(out), R"(,"since":{},"reason":)", feed.since);
  append_json_string(feed[Key::Reason], out);
  out.push_back('}');
  return out;
}

// The entry as one field a key. Plain values go straight into the body; arrays and maps become JSON text.
class FieldsBody {
 public:
  FieldsBody(std::string& body, std::string& scratch) : body_(body), scratch_(scratch), json_(scratch) {}

  void begin(std::uint32_t keys) {
    body_.clear();
    words_ = 2 * std::size_t{keys};
  }
  void key(std::string_view name) { resp::append_bulk(name, body_); }
  void text(std::string_view value) { resp::append_bulk(value, body_); }
  void integer(std::uint64_t value) { number(fmt::format_int(value)); }
  void integer(std::int64_t value) { number(fmt::format_int(value)); }
  void floating(double value) { resp::append_bulk(fmt::format("{}", value), body_); }
  void boolean(bool value) { resp::append_bulk(value ? "true" : "false", body_); }
  void nil() { resp::append_bulk("", body_); }

  wire::JsonVisitor& begin_nested() {
    scratch_.clear();
    return json_;
  }
  wire::JsonVisitor& nested() { return json_; }
  void end_nested() { resp::append_bulk(scratch_, body_); }
  void end() {}
  [[nodiscard]] std::size_t words() const { return words_; }

 private:
  void number(const fmt::format_int& digits) { resp::append_bulk({digits.data(), digits.size()}, body_); }

  std::string& body_;
  std::string& scratch_;
  wire::JsonVisitor json_;
  std::size_t words_ = 0;
};

// A visitor that writes msgpack again, for what is nested in an event.
class Repacker : public msgpack::null_visitor {
 public:
  explicit Repacker(std::string& out) : out_(out), packer_(*this) {}
  Repacker(const Repacker&) = delete;  // the packer points back at this object
  Repacker& operator=(const Repacker&) = delete;
  void write(const char* data, std::size_t bytes) {
    out_.append(data, bytes);
  }  // msgpack-c's stream interface
  msgpack::packer<Repacker>& packer() { return packer_; }

  bool visit_nil() { return packer_.pack_nil(), true; }
  bool visit_boolean(bool value) { return value ? packer_.pack_true() : packer_.pack_false(), true; }
  bool visit_positive_integer(std::uint64_t value) { return packer_.pack_uint64(value), true; }
  bool visit_negative_integer(std::int64_t value) { return packer_.pack_int64(value), true; }
  bool visit_float32(float value) { return packer_.pack_float(value), true; }
  bool visit_float64(double value) { return packer_.pack_double(value), true; }
  bool visit_str(const char* data, std::uint32_t bytes) {
    return packer_.pack_str(bytes).pack_str_body(data, bytes), true;
  }
  bool visit_bin(const char* data, std::uint32_t bytes) {
    return packer_.pack_bin(bytes).pack_bin_body(data, bytes), true;
  }
  bool start_array(std::uint32_t count) { return packer_.pack_array(count), true; }
  bool start_map(std::uint32_t count) { return packer_.pack_map(count), true; }

 private:
  std::string& out_;
  msgpack::packer<Repacker> packer_;
};

// The entry as the event's msgpack in the one field "e".
class MsgpackBody {
 public:
  MsgpackBody(std::string& body, std::string& scratch) : body_(body), scratch_(scratch), repacker_(scratch) {}

  void begin(std::uint32_t keys) {
    body_.clear();
    scratch_.clear();
    repacker_.packer().pack_map(keys);
  }
  void key(std::string_view name) { text(name); }
  void text(std::string_view value) {
    repacker_.visit_str(value.data(), static_cast<std::uint32_t>(value.size()));
  }
  void integer(std::uint64_t value) { repacker_.packer().pack_uint64(value); }
  void integer(std::int64_t value) { repacker_.packer().pack_int64(value); }
  void floating(double value) { repacker_.packer().pack_double(value); }
  void boolean(bool value) { repacker_.visit_boolean(value); }
  void nil() { repacker_.packer().pack_nil(); }
  Repacker& begin_nested() { return repacker_; }
  Repacker& nested() { return repacker_; }
  void end_nested() {}
  void end() {
    resp::append_bulk("e", body_);
    resp::append_bulk(scratch_, body_);
  }
  [[nodiscard]] std::size_t words() const { return 2; }

 private:
  std::string& body_;
  std::string& scratch_;
  Repacker repacker_;
};

// Walks a batch: depth 1 is the array of events, depth 2 the keys of one event, deeper what is nested in a
// value.
template <typename Body>
class BatchVisitor : public msgpack::null_visitor {
 public:
  BatchVisitor(std::string& buffer, std::string& scratch, StreamTable& streams, Transaction& transaction,
               std::uint32_t skip, std::uint32_t count, bool keep_states, std::uint64_t first_seq)
      : body_(buffer, scratch),
        buffer_(buffer),
        streams_(streams),
        transaction_(transaction),
        skip_(skip),
        left_(count),
        keep_states_(keep_states),
        seq_(first_seq) {}

  [[nodiscard]] BatchCount result() const { return result_; }
  [[nodiscard]] bool all_seen() const { return left_ == 0; }

  bool start_array(std::uint32_t count) {
    if (++depth_ == 1) return true;
    if (depth_ > kDepthMax) return false;
    if (depth_ == 2) return true;  // an array where an event belongs: counted in end_array_item
    if (depth_ == 3) begin_nested();
    return body_.nested().start_array(count);
  }
  bool start_array_item() { return depth_ < 3 || body_.nested().start_array_item(); }
  bool end_array_item() {
    if (depth_ == 1) finish_event();
    return depth_ < 3 || body_.nested().end_array_item();
  }
  bool end_array() {
    return close([this] { return body_.nested().end_array(); });
  }

  bool start_map(std::uint32_t count) {
    if (++depth_ == 1) return false;
    if (depth_ > kDepthMax) return false;
    if (depth_ == 2) {
      is_map_ = true;
      routing_ = Routing();
      body_.begin(count);
      return true;
    }
    if (depth_ == 3) begin_nested();
    return body_.nested().start_map(count);
  }
  bool start_map_key() {
    if (depth_ == 2) in_key_ = true;
    return depth_ < 3 || body_.nested().start_map_key();
  }
  bool end_map_key() {
    if (depth_ == 2) in_key_ = false;
    return depth_ < 3 || body_.nested().end_map_key();
  }
  bool end_map() {
    return close([this] { return body_.nested().end_map(); });
  }

  bool visit_str(const char* data, std::uint32_t bytes) {
    const std::string_view text(data, bytes);
    if (depth_ >= 3) return body_.nested().visit_str(data, bytes);
    if (!event_level()) return true;
    if (in_key_) {
      key_ = find_key(text);
      body_.key(text);
      return true;
    }
    routing_.texts[static_cast<std::size_t>(key_)] = text;
    body_.text(text);
    return true;
  }
  bool visit_bin(const char* data, std::uint32_t bytes) { return visit_str(data, bytes); }
  bool visit_positive_integer(std::uint64_t value) {
    if (depth_ >= 3) return body_.nested().visit_positive_integer(value);
    if (key_ == Key::Recv) routing_.recv = static_cast<std::int64_t>(value);
    if (key_ == Key::Since) routing_.since = static_cast<std::int64_t>(value);
    return plain([&] { body_.integer(value); });
  }
  bool visit_negative_integer(std::int64_t value) {
    if (depth_ >= 3) return body_.nested().visit_negative_integer(value);
    return plain([&] { body_.integer(value); });
  }
  bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }
  bool visit_float64(double value) {
    if (depth_ >= 3) return body_.nested().visit_float64(value);
    return plain([&] { body_.floating(value); });
  }
  bool visit_boolean(bool value) {
    if (depth_ >= 3) return body_.nested().visit_boolean(value);
    return plain([&] { body_.boolean(value); });
  }
  bool visit_nil() {
    if (depth_ >= 3) return body_.nested().visit_nil();
    return plain([&] { body_.nil(); });
  }
  bool visit_ext(const char*, std::uint32_t) { return false; }
  void parse_error(std::size_t, std::size_t) {}
  void insufficient_bytes(std::size_t, std::size_t) {}

 private:
  [[nodiscard]] bool event_level() const { return depth_ == 2 && is_map_; }

  void keep_state() {
    if (!keep_states_ || routing_[Key::Type] != to_string(EventType::Feed)) return;
    if (routing_[Key::Channel].empty() || routing_[Key::State].empty()) return;
    transaction_.set_state(
        fmt::format("{}:{}:{}", routing_[Key::Exchange], routing_[Key::Channel], routing_[Key::Symbol]),
        state_json(routing_));
  }

  void begin_nested() {
    if (in_key_) is_map_ = false;
    body_.begin_nested();
  }

  // A key that is no text makes the event malformed; its words would not pair up.
  template <typename Write>
  bool plain(Write write) {
    if (!event_level()) return true;
    if (in_key_) {
      is_map_ = false;
    } else {
      write();
    }
    return true;
  }

  template <typename Close>
  bool close(Close close_nested) {
    --depth_;
    if (depth_ < 2) return true;
    if (!close_nested()) return false;
    if (depth_ == 2) body_.end_nested();
    return true;
  }

  void finish_event() {
    const bool is_event = std::exchange(is_map_, false);
    const std::uint64_t seq = seq_++;
    if (skip_ > 0) {
      --skip_;
      if (left_ > 0) --left_;
      return;
    }
    if (left_ == 0) {
      result_.complete = false;
      return;
    }
    --left_;
    const bool routable = is_event && !routing_[Key::Type].empty() && !routing_[Key::Exchange].empty() &&
                          !routing_[Key::Symbol].empty();
    const Stream* stream =
        routable ? streams_.find(routing_[Key::Type], routing_[Key::Exchange], routing_[Key::Symbol])
                 : nullptr;
    if (stream == nullptr) {
      ++result_.malformed;
      return;
    }
    body_.end();
    transaction_.add(*stream, buffer_, body_.words(), UnixNanos{routing_.recv}, keep_states_ ? seq : 0);
    keep_state();
    ++result_.added;
  }

  Body body_;
  std::string& buffer_;
  StreamTable& streams_;
  Transaction& transaction_;
  std::uint32_t skip_, left_;
  bool keep_states_;
  std::uint64_t seq_;  // of the event being read
  BatchCount result_;
  Routing routing_;
  Key key_ = Key::Other;
  int depth_ = 0;
  bool in_key_ = false;
  bool is_map_ = false;
};

template <typename Body>
BatchCount walk(BatchVisitor<Body>&& visitor, std::string_view payload) {
  std::size_t offset = 0;
  const bool parsed =
      msgpack::parse(payload.data(), payload.size(), offset, visitor) && offset == payload.size();
  BatchCount result = visitor.result();
  result.complete = result.complete && parsed && visitor.all_seen();
  return result;
}

}  // namespace

BatchCount BatchWriter::write(std::string_view payload, std::uint32_t skip, std::uint32_t count,
                              Transaction& transaction, std::uint64_t first_seq) {
  return walk_batch(payload, skip, count, States::Keep, transaction, first_seq);
}

BatchCount BatchWriter::walk_batch(std::string_view payload, std::uint32_t skip, std::uint32_t count,
                                   States states, Transaction& transaction, std::uint64_t first_seq) {
  const bool keep = states == States::Keep;
  if (format_ == EntryFormat::Fields) {
    return walk(
        BatchVisitor<FieldsBody>(body_, scratch_, streams_, transaction, skip, count, keep, first_seq),
        payload);
  }
  return walk(BatchVisitor<MsgpackBody>(body_, scratch_, streams_, transaction, skip, count, keep, first_seq),
              payload);
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
  packer.pack_array(1).pack_map(note.lost ? kKeys + 1 : kKeys);
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
  walk_batch(gap_.view(), 0, 1, States::Ignore, transaction, 0);
}

}  // namespace mdpipe::publisher
