#pragma once
// For users who trade on the freshest data (--when-behind=latest): while Redis is behind, only the newest
// event of each (type, symbol) of the chosen types is held. It replaces earlier ones, and enters the outbox
// once the backlog is young again. Held events have no number yet, so the numbers have no holes. Trades and
// book deltas are never held. Pure: the age of the backlog comes in, events come out.
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
  // If `types` is empty, nothing is held.
  Conflator(const std::vector<EventType>& types, std::chrono::nanoseconds behind_limit);

  // Holds the event if its type is conflated and the backlog has reached the limit; false if not. `replaced`
  // says whether it replaced an earlier event. `is_kept_elsewhere`: the levels of the book are not copied;
  // the owner of the book provides them when it is released.
  bool hold(const Event& event, std::chrono::nanoseconds backlog_age, bool is_kept_elsewhere, bool& replaced);

  // Emits and forgets the held events once the backlog is younger than the limit.
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
  std::map<std::pair<EventType, std::string>, Held, std::less<>> held_;  // entries are reused
  std::size_t held_count_ = 0;
};

}  // namespace mdpipe::reader
