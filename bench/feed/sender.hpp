#pragma once
// Sends the pool's frames at the configured rate and records when. Frames with a rate are spread evenly: each
// has a due time, and the feed wakes at most every 200 us. So up to 5,000 a second each frame is a write of
// its own, and at 20,000 a second four share a write. Without a rate the socket is kept full.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/feed/client.hpp"
#include "bench/feed/frame_pool.hpp"
#include "bench/feed/options.hpp"

namespace mdpipe::bench {

// One row of the table file; times in ns since 1970.
struct SentFrame {
  std::int64_t kind, due, sent;
};

struct Account {
  std::uint64_t frames = 0, bytes = 0;
  std::array<std::uint64_t, kFrameKinds> by_kind{};
  std::int64_t first_sent = 0, last_sent = 0;  // ns since 1970: before the first write, after the last
};

class Sender {
 public:
  Sender(const Options& options, FramePool& pool, Client& client);
  void run();
  [[nodiscard]] const Account& account() const { return account_; }
  [[nodiscard]] const std::vector<SentFrame>& table() const { return table_; }

 private:
  void run_flat_out();
  void run_paced();
  [[nodiscard]] bool is_over(std::int64_t now) const;
  [[nodiscard]] std::int64_t step(std::int64_t due) const;
  bool send(std::size_t frames, std::int64_t now);

  const Options& options_;
  FramePool& pool_;
  Client& client_;
  TimestampText timestamp_;
  std::size_t next_ = 0;  // in the pool
  std::int64_t started_ = 0;
  Account account_;
  std::vector<std::int64_t> due_;  // of the frames of one write
  std::vector<SentFrame> table_;
};

}  // namespace mdpipe::bench
