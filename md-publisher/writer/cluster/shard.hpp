#pragma once
// The part of a round that belongs to one hash tag, and so to one slot: its entries and its cursors, written
// in one MULTI
// ... EXEC. Makes the commands and judges the answers; sends nothing. Two things keep an entry from being
// written twice: the field of the round, which says whether a transaction whose answer was not heard was
// carried out, and the cursors of the readers, which say after a restart of ours what is there already.
// Before the first entry on a connection the streams are looked at (preflight.hpp), and their lengths are
// watched.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/cluster/slot_job.hpp"

namespace mdpipe::publisher {

// The n-th transaction of one run of a publisher.
struct RoundId {
  std::string publisher;  // its name, the field
  std::uint64_t run = 0;  // when it started
  std::uint64_t number = 0;
};

class Shard {
 public:
  // `lengths` outlives it.
  Shard(StreamLengths& lengths, std::string cursor_key, std::uint16_t slot)
      : lengths_(lengths), cursor_key_(std::move(cursor_key)), slot_(slot), preflight_(lengths) {}

  [[nodiscard]] std::uint16_t slot() const { return slot_; }

  // An entry of the round to come: its number, where its XADD begins in the transaction's commands, and whose
  // it is.
  void add(std::size_t entry, std::size_t offset, const Transaction::Batch* batch) {
    entries_.push_back({entry, offset, batch});
  }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  // A stream that entries are for.
  void touch(const RedisKey& stream) { touched_.push_back({&stream, 0}); }

  // Adds the commands to be sent next, the questions for the cursors and lengths if they are not known;
  // returns how many answers they have. None: all is there already.
  std::size_t prepare(const Transaction& transaction, const RoundId& round, SteadyTime now, std::string& out);

  using Next = SlotJob::Next;
  // Takes the next answer to prepare's commands. Again: call prepare once more.
  Next on_reply(const Reply& reply, const Transaction& transaction, SteadyTime now, Outcome& outcome);
  [[nodiscard]] const RedisError& error() const { return error_; }  // nothing was written

  // What was on its way may or may not have been carried out.
  void forget() {
    is_known_ = false;
    preflight_.forget();
  }
  // Whether the cursors were found to be behind what they had been; asked once.
  bool take_loss() { return std::exchange(has_lost_, false); }
  // A stream whose length may not be asked for; once for each check.
  std::optional<RedisError> take_unguarded() { return std::exchange(unguarded_, std::nullopt); }
  // All of the round is written: what was sent is what Redis holds. Not before: until then a failover may
  // undo it.
  void end_round(Outcome& outcome);

 private:
  struct ShardEntry {
    std::size_t entry;
    std::size_t offset;
    const Transaction::Batch* batch;  // null: md-publisher's own
  };
  [[nodiscard]] bool is_there(const ShardEntry& placed, const Transaction::Entry& entry) const;
  void note(const ShardEntry& placed, const Transaction::Entry& entry);
  std::size_t ask_cursors(std::string& out);
  std::size_t ask_lengths(std::string& out);
  std::size_t write(const Transaction& transaction, const RoundId& round, SteadyTime now, std::string& out);
  [[nodiscard]] std::pair<std::string, std::string> command_of(std::size_t answer,
                                                               const Transaction& transaction) const;
  void accept_cursors(Cursors read);
  Next on_cursors(const Reply& reply);
  Next on_lengths(const Reply& reply, SteadyTime now, Outcome& outcome);
  Next on_written(const Reply& reply, const Transaction& transaction, SteadyTime now, Outcome& outcome);
  void take_executed(const Reply& exec, const Transaction& transaction, SteadyTime now, Outcome& outcome);
  void on_cursors_set(const Reply::Element& answer);

  StreamLengths& lengths_;
  std::string cursor_key_;
  std::uint16_t slot_;
  // A stream's length behind our entries.
  struct LengthCheck {
    const RedisKey* stream = nullptr;
    std::optional<std::uint64_t> length;
    SteadyTime at{};
  };
  enum class Step { ReadCursors, ReadLengths, Write };

  std::vector<ShardEntry> entries_, sent_;
  std::vector<Transaction::TouchedKey> touched_;
  std::vector<const RedisKey*> written_;  // one for each entry that Redis took
  std::vector<LengthCheck> length_checks_;
  Preflight preflight_;
  Cursors cursors_;        // what Redis holds
  Cursors changed_;        // by what was sent
  bool is_known_ = false;  // whether cursors_ is
  bool ever_known_ = false;
  Step step_ = Step::ReadCursors;
  bool has_lost_ = false;
  std::size_t answers_ = 0, answered_ = 0;
  RedisError error_;
  std::optional<RedisError> unguarded_;
};

}  // namespace mdpipe::publisher
