#pragma once
// How the adapters read JSON: a parser with a reusable padded buffer, and fields read as the exact text that
// the exchange wrote. Uses simdjson's on-demand API: fields that are not read are skipped. Every function
// that reads a field treats null as absent: an empty text, no number, no levels.
#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::venues {

// Thrown and caught inside an adapter if a frame is invalid; `reason` is a constant text.
struct BadFrame {
  std::string_view reason;
};

class JsonReader {
 public:
  // Copies the frame behind the padding simdjson needs and starts to read it. Throws
  // simdjson::simdjson_error. The document and every view read from it are valid until the next call.
  simdjson::ondemand::document& read(std::string_view frame);

 private:
  simdjson::ondemand::parser parser_;
  std::vector<char> buffer_;
  simdjson::ondemand::document document_;
};

// Calls `read` and turns an exception about the frame into a rejection.
template <typename Read>
FrameResult reject_bad_frames(Read&& read) {
  try {
    return read();
  } catch (const BadFrame& bad) {
    return FrameResult::rejected(bad.reason);
  } catch (const simdjson::simdjson_error& error) {
    return FrameResult::rejected(simdjson::error_message(error.error()));
  }
}

// The name of a member, unescaped. Unlike unescaped_key() it copies only if something is escaped.
std::string_view read_key(simdjson::simdjson_result<simdjson::ondemand::field>& member);

// Each throws BadFrame{reason} if the value is neither of the requested kind nor null.

// A decimal in a JSON string ("0.003") or a JSON number (13634496.0): its digits as in the frame.
Decimal read_decimal(simdjson::ondemand::value value, std::string_view reason);

// A decimal that is not negative.
Decimal read_size(simdjson::ondemand::value value, std::string_view reason);

// The text of a JSON string, unescaped.
std::string_view read_text(simdjson::ondemand::value value, std::string_view reason);

// An identifier in a JSON string or an integral JSON number, as its text: 1 to 64 bytes without control
// characters.
std::string_view read_id(simdjson::ondemand::value value, std::string_view reason);

// The text of a string or the token of anything else, for a key whose meaning another key decides: what the
// text may be is checked once that is known. A token of another type ("{", "true") is never a decimal number.
std::string_view read_untyped(simdjson::ondemand::value value);

std::optional<std::uint64_t> read_uint(simdjson::ondemand::value value, std::string_view reason);

// The id of our own request in an answer; nothing for any other kind of id.
std::optional<std::uint64_t> read_request_id(simdjson::ondemand::value value);

// A time in seconds, ms, us or ns since the epoch, as a JSON number or string. 0 for null.
UnixNanos read_epoch(simdjson::ondemand::value value, std::string_view reason);

// The time in `text`, 0 if it is empty. Throws BadFrame for anything that is not ISO 8601 in UTC.
UnixNanos iso8601_or_none(std::string_view text);

// The levels of [["price","size"], ...] and of [{"price":..,"size":..}, ...]. They replace what `levels`
// held. True for an array, false for null.
bool read_level_pairs(simdjson::ondemand::value value, std::vector<Level>& levels);
bool read_level_objects(simdjson::ondemand::value value, std::vector<Level>& levels);

// Symbols become metric labels and stream keys: 1 to 64 bytes of UTF-8 without control characters.
void expect_symbol(std::string_view symbol);

// Throws BadFrame if something follows the document's end.
void expect_end(simdjson::ondemand::document& document);

// Sorts levels best first if the exchange does not: bids descending, asks ascending; equal prices keep
// their order.
void sort_best_first(std::vector<Level>& bids, std::vector<Level>& asks);

// A ticker without any of these is useless.
inline bool has_price(const Ticker& ticker) {
  return !ticker.bid.empty() || !ticker.ask.empty() || !ticker.last.empty();
}

inline Levels borrow(const std::vector<Level>& levels) { return {levels.data(), levels.size()}; }

}  // namespace mdpipe::venues
