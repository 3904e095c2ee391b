#pragma once
// Counts dropped events by feed, from the dropped batches themselves, and makes the gap events that report
// them. A gap event takes the highest numbers of the events it reports, so that consumers read it in their
// place. Used only when the last limit of retention is reached; nothing here is on the hot path.
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

  // Adds the events of a batch. Losses that its gap events report were counted when they happened, so they
  // are added to the report, but are not newly lost. Every other event is lost now.
  void add(std::string_view payload);

  // A batch with one gap event per feed; the last one has the number `last_seq`. Its payload is sealed.
  [[nodiscard]] Batch make_batch(std::uint64_t epoch, std::uint64_t last_seq, UnixNanos now) const;

  [[nodiscard]] const Losses& newly_lost() const { return newly_lost_; }

 private:
  std::string exchange_;
  Losses total_, newly_lost_;
};

}  // namespace mdpipe::reader
