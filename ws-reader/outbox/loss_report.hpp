#pragma once
// What was dropped, counted by feed from the dropped batches themselves, and the gap events that say so. They
// take the highest numbers of the events they stand for, so that they come in the place of what is missing.
// Runs only when the last bound of retention is reached; nothing here is on the hot path.
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "libshared/event/event.hpp"
#include "ws-reader/outbox/batch.hpp"

namespace mdpipe::reader {

class LossReport {
 public:
  struct Loss {
    std::uint64_t count = 0;
    UnixNanos first, last;  // receive times
  };
  using Losses = std::map<std::pair<EventType, std::string>, Loss, std::less<>>;  // by channel and symbol

  // Adds the events of a batch. What its gap events report was counted when it was lost, so that only `total`
  // takes it over; every other event is lost now.
  void add(std::string_view payload);

  // A batch with one gap event a feed, the last of them numbered `last_seq`. Its payload is sealed.
  [[nodiscard]] Batch make_batch(std::uint64_t epoch, std::uint64_t last_seq, UnixNanos now) const;

  [[nodiscard]] const Losses& newly_lost() const { return newly_lost_; }

 private:
  std::string exchange_;
  Losses total_, newly_lost_;
};

}  // namespace mdpipe::reader
