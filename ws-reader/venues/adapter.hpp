#pragma once
// What ws-reader knows about one exchange: its address, how to subscribe, and how its frames become events.
// An adapter is a pure function of (frame, receive time): no socket, no clock, no log. A new exchange is one
// folder beside the others with an adapter.cpp that defines make_<folder>_adapter(); CMake finds it, nothing
// else changes.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"

namespace mdpipe::venues {

// Receives the events of a frame, in order. The views in an event are valid during the call only.
class EventSink {
 public:
  virtual void on_event(const Event& event) = 0;

 protected:
  ~EventSink() = default;
};

enum class FrameKind {
  Events,    // market data; the sink got its events, possibly none (an empty list)
  Control,   // acknowledgement, heartbeat, status
  ApiError,  // the exchange says that something is wrong with a request
  Other,     // a known kind of message that is not collected, such as Binance's klines
  Rejected,  // invalid; the sink got nothing of it
};

// The closed list behind the label error_type of Rejected frames.
enum class Rejection { None, Parse, UnknownChannel };

struct FrameResult {
  FrameKind kind = FrameKind::Events;
  Rejection rejection = Rejection::None;
  std::string_view reason;  // of a rejection: a constant text that names the field or the fault
  std::optional<std::uint64_t>
      request_id;             // Control and ApiError: the request this answers, if the exchange names it
  bool rate_limited = false;  // ApiError: the last request came too fast and must be repeated
  bool reconnect = false;     // the exchange announced that it is about to close: reconnect now

  static FrameResult events() { return {}; }
  static FrameResult control(std::optional<std::uint64_t> id = {}) {
    return {FrameKind::Control, Rejection::None, {}, id};
  }
  static FrameResult api_error(std::optional<std::uint64_t> id = {}) {
    return {FrameKind::ApiError, Rejection::None, {}, id};
  }
  static FrameResult other() { return {FrameKind::Other, Rejection::None, {}, {}}; }
  static FrameResult rejected(std::string_view why) {
    return {FrameKind::Rejected, Rejection::Parse, why, {}};
  }
  static FrameResult unknown_channel(std::string_view why) {
    return {FrameKind::Rejected, Rejection::UnknownChannel, why, {}};
  }
};

// One stream a user asked for.
struct Subscription {
  EventType channel{};
  std::string symbol;
};

// A message to send for one or several subscriptions.
struct Request {
  std::string text;
  std::optional<std::uint64_t> id;  // the exchange will answer with this id; nothing if it does not answer
};

// For each channel, in the order of kMarketTypes: a silence shorter than this is never stale.
using StaleAfter = std::array<std::chrono::milliseconds, std::size(kMarketTypes)>;
inline constexpr StaleAfter kStaleAfter = {std::chrono::seconds(30), std::chrono::seconds(300),
                                           std::chrono::seconds(15)};
// How the reader knows that a book is whole; docs/books.md.
enum class BookRecipe {
  FullFrames,       // every frame is the whole book
  SnapshotChannel,  // snapshots come from time to time beside the deltas
  RestSeeded,       // numbered deltas, placed after a snapshot fetched over HTTP
};
constexpr bool has_deltas(BookRecipe recipe) { return recipe != BookRecipe::FullFrames; }

struct Profile {
  std::string_view exchange;                      // "gmo": the folder's name, the event's `exchange`
  std::string_view url;                           // of the public WebSocket
  std::chrono::milliseconds request_interval{0};  // least time between two requests
  bool paced_per_host = false;                    // the limit holds for all connections of this host together
  std::chrono::milliseconds idle_timeout{
      0};  // after this time without any frame (pings included) the connection is dead
  BookRecipe books = BookRecipe::FullFrames;
  std::string_view rest_url{};                 // RestSeeded: scheme and host of the HTTP interface
  std::chrono::milliseconds rest_interval{0};  // least time between two snapshots fetched from it
  StaleAfter stale_after = kStaleAfter;
};

class Adapter {
 public:
  virtual ~Adapter() = default;

  [[nodiscard]] virtual const Profile& profile() const = 0;

  // The requests for these subscriptions, in the order in which to send them. Ids start at `first_id`.
  [[nodiscard]] virtual std::vector<Request> subscribe(const std::vector<Subscription>& subscriptions,
                                                       std::uint64_t first_id) const = 0;

  // The requests that end them. Empty if the exchange has no such request.
  [[nodiscard]] virtual std::vector<Request> unsubscribe(const std::vector<Subscription>& /*subscriptions*/,
                                                         std::uint64_t /*first_id*/) const {
    return {};
  }

  // The requests that end this subscription and begin it again, for a feed that went silent.
  [[nodiscard]] std::vector<Request> resubscribe(const Subscription& subscription,
                                                 std::uint64_t first_id) const {
    std::vector<Request> requests = unsubscribe({subscription}, first_id);
    if (requests.empty()) return requests;
    for (Request& request : subscribe({subscription}, first_id + requests.size()))
      requests.push_back(std::move(request));
    return requests;
  }

  // Reads one text frame. Either all of its events reach the sink or, for anything but Events, none.
  virtual FrameResult on_frame(std::string_view frame, UnixNanos received, EventSink& sink) = 0;

  // RestSeeded only. The path and query of a symbol's whole book, and how to read the answer: one snapshot
  // for the sink, or a rejection.
  [[nodiscard]] virtual std::string book_snapshot_target(std::string_view) const { return {}; }
  virtual FrameResult read_book_snapshot(std::string_view, std::string_view, UnixNanos, EventSink&) {
    return FrameResult::rejected("this exchange's books are not fetched over HTTP");
  }
};

}  // namespace mdpipe::venues
