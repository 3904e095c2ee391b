#pragma once
// A shard as a job: its entries of the present round, written in its slot.
#include <string>
#include <utility>
#include <vector>

#include "md-publisher/writer/cluster/shard.hpp"
#include "md-publisher/writer/cluster/slot_job.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

// The transaction that is on its way.
struct Round {
  RoundId id;
  Transaction* transaction = nullptr;  // null: there is none
  Outcome outcome;
};

class ShardJob final : public SlotJob {
 public:
  // Round, lengths and events outlive it.
  ShardJob(SlotRunner& runner, Round& round, StreamLengths& lengths, const WriterCallbacks& callbacks,
           std::string cursor_key, std::uint16_t slot)
      : SlotJob(runner, slot),
        shard(lengths, std::move(cursor_key), slot),
        round_(round),
        lengths_(lengths),
        callbacks_(callbacks) {}

  std::size_t prepare(std::string& out) override {
    return shard.prepare(*round_.transaction, round_.id, steady_now(), out);
  }
  Next judge(const Reply& reply) override {
    const Next next = shard.on_reply(reply, *round_.transaction, steady_now(), round_.outcome);
    if (shard.take_loss()) {
      for (const RedisKey* key : keys) {
        lengths_.forget(*key);  // nobody cut them
        callbacks_.on_stream_lost(*key);
      }
    }
    if (const auto unguarded = shard.take_unguarded()) callbacks_.on_unguarded(*unguarded);
    return next;
  }
  [[nodiscard]] RedisError error() const override { return shard.error(); }
  void forget() override { shard.forget(); }

  Shard shard;
  std::vector<const RedisKey*> keys;  // all streams of the hash tag

 private:
  Round& round_;
  StreamLengths& lengths_;
  const WriterCallbacks& callbacks_;
};

}  // namespace mdpipe::publisher
