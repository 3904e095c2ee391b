#pragma once
// For users who trade on the freshest data (--when-behind=latest): while Redis is behind, only the newest
// event of each (type, symbol) of the chosen types is held here, in the place of those before it, and enters
// the outbox once the backlog is young again. Held events have no number yet, so numbers stay without holes.
// Trades and deltas of books are never held. Pure: the age of the backlog comes in, events come out.
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/event/event.hpp"

namespace mdpipe::reader {

class Conflator {
 public:
  // Empty `types` hold nothing.
  Conflator(const std::vector<EventType>& types, std::chrono::nanoseconds behind_limit);

  // Takes the event where its type is held and the backlog is that old. `replaced` is then told whether an
  // earlier event gave way to it.
  // `is_kept_elsewhere`: of a book only that there is one is remembered; whoever keeps it renders it at the
  // end.
  bool take(const Event& event, std::chrono::nanoseconds backlog_age, bool is_kept_elsewhere, bool& replaced);

  // Hands out and forgets what is held, each symbol's newest once the backlog is younger than the limit.
  using Emit = std::function<void(const Event& event, bool is_kept_elsewhere)>;
  void release(std::chrono::nanoseconds backlog_age, const Emit& emit);

  [[nodiscard]] std::size_t held() const { return held_count_; }

 private:
  // An event with the text it points into.
  struct Held {
    bool present = false;
    bool is_kept_elsewhere = false;
    std::string text;
    std::vector<Level> levels;
    Event event;
  };

  static void copy(const Event& event, bool is_kept_elsewhere, Held& held);

  std::vector<EventType> types_;
  std::chrono::nanoseconds behind_limit_;
  std::map<std::pair<EventType, std::string>, Held, std::less<>> held_;  // memory stays for the next time
  std::size_t held_count_ = 0;
};

}  // namespace mdpipe::reader
