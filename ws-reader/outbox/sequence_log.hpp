#pragma once
// Logs which feed each event of this run belongs to, in a file that is mapped into memory: after kill -9 the
// next run can say for each feed how many events were neither sent nor on disk. A note is a few writes to
// memory. Keeps no event; CrashAccounting decides what becomes of the counts.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/intern/string_index.hpp"
#include "libshared/result/result.hpp"
#include "ws-reader/outbox/in_flight_file.hpp"

namespace mdpipe::reader {

class SequenceLog {
 public:
  using FeedId = InFlightFile::FeedId;
  static constexpr FeedId kUncounted = 0;  // not received from the exchange, or counted elsewhere
  static constexpr FeedId kOther = 1;      // the file has no space for the feed, or the feed is forgotten
  using FeedName = std::pair<EventType, std::string>;
  // Events of each feed that were received and had to be numbered: not left out on purpose before.
  using Expected = std::map<FeedName, std::uint64_t>;
  // `channel` is nothing if the feed is not known.
  using LossCallback =
      std::function<void(std::optional<EventType> channel, std::string_view symbol, std::uint64_t count)>;

  // A new file in place of any other; `expected` is what was counted before this run.
  static Result<SequenceLog> create(const SequenceLogOptions& options, std::uint64_t epoch,
                                    std::uint64_t origin, const Expected& expected);
  // The file of a previous run; nothing if there is none or it is of another boot. A file that is damaged,
  // of another version or of another reader is set aside as "<path>.unusable", with a warning.
  static std::optional<SequenceLog> load(const SequenceLogOptions& options);

  // For the current run:
  FeedId feed(EventType channel, std::string_view symbol);
  // The next event, as the outbox numbers them: 1, 2, 3, ...
  void note(FeedId id);
  // Redis has everything up to `seq`.
  void confirm(std::uint64_t seq);
  // These events are counted elsewhere.
  void forget(std::uint64_t first, std::uint64_t last);
  // Every event that was numbered is in Redis or on disk.
  void mark_complete();

  // For a previous run:
  [[nodiscard]] std::uint64_t epoch() const;
  [[nodiscard]] std::uint64_t origin() const;  // of the counters that `Expected` was read from
  [[nodiscard]] std::string exchange() const;
  [[nodiscard]] std::uint64_t last_seq() const;
  [[nodiscard]] std::uint64_t confirmed() const;
  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] bool has_counted_lost() const;  // report_lost() was called and perhaps not finished
  // Reports events that were received and never numbered. A second call reports nothing.
  void report_unnumbered(const Expected& expected, const LossCallback& report);
  // Reports events that were numbered above `last_in_redis`. After a kill the next call goes on; then the
  // number counts that the first call was given.
  void report_lost(std::uint64_t last_in_redis, const LossCallback& report);

 private:
  explicit SequenceLog(InFlightFile&& file);
  bool finish_pending_note();
  [[nodiscard]] bool counts_add_up() const;
  void index_feeds();
  FeedId* find_id(EventType channel, std::string_view symbol);
  std::optional<FeedId> add(std::uint8_t channel, std::string_view symbol, std::uint64_t base);
  void count_lost(std::uint64_t last_in_redis);

  InFlightFile file_;
  StringIndex symbols_;
  std::vector<FeedId> ids_;        // by symbol, then channel; kUnassigned until the feed is added
  std::uint32_t last_symbol_ = 0;  // successive events are often of one symbol
};

}  // namespace mdpipe::reader
