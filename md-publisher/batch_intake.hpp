#pragma once
// Takes batches in from the readers: receives a message, decodes its header, asks the ledger which of its
// events are new, and writes those into the transaction that is being filled. Stops receiving when there is
// no room; the readers keep what is not received.
#include <string_view>
#include <zmq.hpp>

#include "libshared/transport/socket.hpp"
#include "libshared/wire/link.hpp"
#include "md-publisher/position_sender.hpp"
#include "md-publisher/publisher_metrics.hpp"
#include "md-publisher/redis_delivery.hpp"
#include "md-publisher/source_ledger.hpp"
#include "md-publisher/transaction/batch_writer.hpp"

namespace mdpipe::publisher {

class BatchIntake {
 public:
  // All of them outlive it. `marks_batches`: the writer needs to know which entries came from which reader.
  BatchIntake(transport::Socket& events, SourceLedger& ledger, BatchWriter& writer, RedisDelivery& delivery,
              PositionSender& positions, PublisherMetrics& metrics, bool marks_batches);

  // Receives from now on; each batch is received while there is room for it.
  void start();
  // Leaves in ZeroMQ what is not received yet: its reader sends it again.
  void stop() { is_stopped_ = true; }
  // Receives what waits in ZeroMQ. After Redis has become ready.
  void wake() { events_.rearm(); }
  // There may be room again: goes on if it was without.
  void resume();
  // The answer to a small transaction is late: goes on without it.
  void expect_late_answer();

 private:
  [[nodiscard]] bool accepts_batches() const { return delivery_.accepts_events() && !is_stopped_; }
  bool on_readable();
  bool receive_batches();
  bool receive_batch();
  void on_batch(std::string_view header_bytes, std::string_view payload);
  void write(const wire::BatchHeader& batch, std::string_view payload, std::uint32_t skip);

  transport::Socket& events_;
  SourceLedger& ledger_;
  BatchWriter& writer_;
  RedisDelivery& delivery_;
  PositionSender& positions_;
  PublisherMetrics& metrics_;
  bool marks_batches_;
  zmq::message_t header_part_, payload_part_;
  bool is_paused_ = true;  // there was no room when a batch was looked for
  bool is_stopped_ = false;
};

}  // namespace mdpipe::publisher
