#pragma once
// What of a round shares a hash tag, and so a slot: its entries and its cursors, written in one MULTI ...
// EXEC. Makes the commands and judges the answers; sends nothing. Two things keep an entry from being written
// twice: the field of the round, which says whether a transaction whose answer was not heard was carried out,
// and the cursors of the readers, which say after a restart of ours what is there already.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "md-publisher/cluster/slot_job.hpp"
#include "md-publisher/outcome.hpp"
#include "md-publisher/reply_reader.hpp"
#include "md-publisher/transaction.hpp"

namespace mdpipe::publisher {

// The n-th transaction of one life of a publisher.
struct RoundId {
  std::string publisher;  // its name, the field
  std::uint64_t life = 0;
  std::uint64_t number = 0;
};

class Shard {
 public:
  Shard(std::string cursor_key, std::uint16_t slot) : cursor_key_(std::move(cursor_key)), slot_(slot) {}

  [[nodiscard]] std::uint16_t slot() const { return slot_; }

  // An entry of the round to come: its number, where its XADD begins in the transaction's commands, and whose
  // it is.
  void add(std::size_t entry, std::size_t offset, const Transaction::Batch* batch) {
    entries_.push_back({entry, offset, batch});
  }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  // Adds the commands to be sent next, the questions for the cursors where they are not known; returns how
  // many answers they have. None: all is there already.
  std::size_t prepare(const Transaction& transaction, const RoundId& round, std::string& out);

  using Next = SlotJob::Next;
  // Takes the next answer to prepare's commands. Again: prepare anew.
  Next on_reply(const Reply& reply, const Transaction& transaction, Outcome& outcome);
  [[nodiscard]] const RefusedCommand& refused() const { return refused_; }  // nothing was written

  // What was on its way may or may not have been carried out.
  void forget() { is_known_ = false; }
  // Whether the cursors were found to be behind what they had been; asked once.
  bool take_loss() { return std::exchange(has_lost_, false); }
  // All of the round is written: what was sent is what Redis holds.
  void end_round();

 private:
  struct Placed {
    std::size_t entry;
    std::size_t offset;
    const Transaction::Batch* batch;  // null: md-publisher's own
  };
  using Cursors = std::map<std::string, Transaction::Cursor, std::less<>>;

  [[nodiscard]] bool is_there(const Placed& placed, const Transaction::Entry& entry) const;
  void note(const Placed& placed, const Transaction::Entry& entry);
  void read_cursors(const Reply& reply);
  Next on_write_reply(const Reply& reply, const Transaction& transaction, Outcome& outcome);

  std::string cursor_key_;
  std::uint16_t slot_;
  std::vector<Placed> entries_, sent_;
  Cursors cursors_;        // what Redis holds
  Cursors changed_;        // by what was sent
  bool is_known_ = false;  // whether cursors_ is
  bool ever_known_ = false;
  bool is_reading_ = false;
  bool has_lost_ = false;
  std::size_t answers_ = 0, answered_ = 0;
  RefusedCommand refused_;
};

}  // namespace mdpipe::publisher
