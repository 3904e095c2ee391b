#pragma once
// While an object of this class exists, this thread receives no signals; threads started meanwhile never
// receive any. So signals reach only the loop's thread.
#include <csignal>

namespace mdpipe::agent {

class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace mdpipe::agent
