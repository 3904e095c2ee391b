#pragma once
// A shard as a job: its entries of the round that is on its way, written in its slot.
#include <string>
#include <utility>
#include <vector>

#include "md-publisher/cluster/shard.hpp"
#include "md-publisher/cluster/slot_job.hpp"
#include "md-publisher/event_writer.hpp"

namespace mdpipe::publisher {

// The transaction that is on its way.
struct Round {
  RoundId id;
  Transaction* transaction = nullptr;  // null: none is
  Outcome outcome;
};

class ShardJob final : public SlotJob {
 public:
  // Round and events outlive it.
  ShardJob(SlotRunner& runner, Round& round, const RedisEvents& events, std::string cursor_key,
           std::uint16_t slot)
      : SlotJob(runner, slot), shard(std::move(cursor_key), slot), round_(round), events_(events) {}

  std::size_t prepare(std::string& out) override {
    if (shard.take_loss()) {
      for (const RedisKey* key : keys) events_.on_stream_lost(*key);
    }
    return shard.prepare(*round_.transaction, round_.id, out);
  }
  Next judge(const Reply& reply) override {
    return shard.on_reply(reply, *round_.transaction, round_.outcome);
  }
  [[nodiscard]] RefusedCommand refused() const override { return shard.refused(); }
  void forget() override { shard.forget(); }

  Shard shard;
  std::vector<const RedisKey*> keys;

 private:
  Round& round_;
  const RedisEvents& events_;
};

}  // namespace mdpipe::publisher
