#pragma once
// While it lives this thread takes no signals, and neither do threads that are started meanwhile, ever: so
// that signals reach the loop's thread only.
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
