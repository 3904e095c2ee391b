#pragma once
// Which feed each event that this life of the reader numbered belongs to, in a file of the runtime folder
// that is mapped into memory: after kill -9 the next life can say of each feed how many events were neither
// sent nor on disk. Noting one is a few writes to memory. Keeps no event; what becomes of the counts is
// decided by CrashAccounting.
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

namespace mdpipe::reader {

struct InFlightOptions {
  std::string path;
  std::string boot_id;  // the running kernel's; a file of another boot is of no use
  std::string source;
  std::string exchange;
  std::uint32_t capacity = 64U << 10U;  // numbers that are remembered, a power of two; the latest ones
  std::uint32_t feeds_max = 8U << 10U;  // 64 bytes each, taken as they are needed
};

class SequenceLog {
 public:
  using Feed = std::uint16_t;
  static constexpr Feed kUncounted = 0;  // nobody received it, or it was counted elsewhere
  static constexpr Feed kOther = 1;      // of a feed that there is no room for, or of one that is forgotten
  using FeedName = std::pair<EventType, std::string>;
  // Events of each feed that were received and not left out on purpose before they would have been numbered.
  using Expected = std::map<FeedName, std::uint64_t>;
  // `channel` is nothing where the feed is not known.
  using Lost =
      std::function<void(std::optional<EventType> channel, std::string_view symbol, std::uint64_t count)>;

  // A new file in the place of any other; `expected` is what was counted before this life.
  static Result<SequenceLog> create(const InFlightOptions& options, std::uint64_t epoch, std::uint64_t origin,
                                    const Expected& expected);
  // An earlier life's; nothing where there is none or it is of another boot. One that is damaged, of another
  // version or of somebody else is set aside as "<path>.unusable" with a warning.
  static std::optional<SequenceLog> load(const InFlightOptions& options);

  SequenceLog(SequenceLog&& other) noexcept;
  SequenceLog& operator=(SequenceLog&& other) noexcept;
  SequenceLog(const SequenceLog&) = delete;
  SequenceLog& operator=(const SequenceLog&) = delete;
  ~SequenceLog();  // the file stays

  // The present life.
  Feed feed(EventType channel, std::string_view symbol);
  // The next event, as the outbox numbers them: 1, 2, 3, ...
  void note(Feed feed);
  // Redis has everything up to here.
  void confirm(std::uint64_t seq);
  // These are counted elsewhere.
  void forget(std::uint64_t first, std::uint64_t last);
  // Whatever was numbered is in Redis or on disk.
  void complete();

  // An earlier life.
  [[nodiscard]] std::uint64_t epoch() const;
  [[nodiscard]] std::uint64_t origin() const;  // of the counters that `Expected` was read from
  [[nodiscard]] std::string exchange() const;
  [[nodiscard]] std::uint64_t last_seq() const;
  [[nodiscard]] std::uint64_t confirmed() const;
  [[nodiscard]] bool is_complete() const;
  [[nodiscard]] bool is_decided() const;  // report_lost() was called and perhaps not finished
  // Tells what was received and never numbered. Telling it twice tells it once.
  void tell_unnumbered(const Expected& expected, const Lost& lost);
  // Tells what was numbered above `reached`. A kill in between goes on with the next call.
  void report_lost(std::uint64_t reached, const Lost& lost);

 private:
  struct Header;
  struct Entry;

  SequenceLog() = default;
  static std::size_t entries_begin(std::uint32_t capacity);
  [[nodiscard]] Header& header() const { return *reinterpret_cast<Header*>(memory_); }
  [[nodiscard]] Feed* ring() const;
  [[nodiscard]] Entry* entries() const;
  bool map(std::size_t bytes);
  const char* examine(const InFlightOptions& options, bool& is_stale);
  bool finish_last_note();
  bool adds_up() const;
  std::optional<Feed> add(EventType channel, std::string_view symbol, std::uint64_t base);
  void index_entries();
  void decide(std::uint64_t reached);

  int fd_ = -1;
  char* memory_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::uint64_t mask_ = 0;
  StringIndex symbols_{0};
  std::vector<Feed> feeds_;        // by symbol, then channel; kNoFeed where it is not known yet
  std::uint32_t last_symbol_ = 0;  // events of one symbol come together
};

}  // namespace mdpipe::reader
