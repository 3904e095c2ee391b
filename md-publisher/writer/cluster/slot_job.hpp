#pragma once
// Commands to be carried out in one slot, by the node that has it. A job makes the commands and judges
// their answers; SlotRunner (slot_runner.hpp) brings them to the node and follows what moves.
#include <cstdint>
#include <optional>
#include <string>

#include "md-publisher/writer/cluster/cluster_node.hpp"

namespace mdpipe::publisher {

class SlotRunner;

class SlotJob : public NodeSink {
 public:
  SlotJob(SlotRunner& runner, std::uint16_t slot) : runner_(runner), slot_(slot) {}

  [[nodiscard]] std::uint16_t slot() const { return slot_; }

  // Adds the next commands; returns the number of their answers, 0 if all is done.
  virtual std::size_t prepare(std::string& out) = 0;
  // Takes the next answer. Again: call prepare once more.
  enum class Next { More, Again, Done, Failed };
  virtual Next judge(const Reply& reply) = 0;
  [[nodiscard]] virtual RedisError error() const = 0;  // after Failed; nothing was written
  // Answers were not heard, or who has the slot may hold less than was confirmed.
  virtual void forget() {}

 private:
  friend class SlotRunner;

  void on_reply(const Reply& reply) final;
  void on_node_unreachable(const ConnectionFailure& failure) final;

  // How far SlotRunner is with it.
  struct Progress {
    std::optional<HostPort> ask;  // where it goes once, with ASKING
    bool expects_asking = false;
    std::optional<RedisError> asking_error;
    Next next = Next::More;  // what the answers came to
    bool is_replicating = false;
  };

  SlotRunner& runner_;
  std::uint16_t slot_;
  HostPort node_;  // where it was sent
  unsigned redirects_ = 0;
  Progress progress_;
};

}  // namespace mdpipe::publisher
