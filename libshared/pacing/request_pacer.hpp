#pragma once
// When the next request to the exchange may be sent. If the limit is for a whole host (GMO: one request a
// second for each IP address), the time of the next free slot is in a small locked file that all readers of
// the host share. The file outlives them.
#include <chrono>
#include <string>

namespace mdpipe::pacing {

class RequestPacer {
 public:
  // An empty path paces this process alone.
  RequestPacer(std::chrono::milliseconds interval, std::string shared_file);

  // Takes the next slot and returns how long to wait for it.
  std::chrono::milliseconds reserve();

 private:
  std::chrono::nanoseconds reserve_shared(std::chrono::nanoseconds now, int fd) const;

  std::chrono::nanoseconds interval_;
  std::string shared_file_;
  std::chrono::nanoseconds next_free_{0};  // on the boot clock
};

}  // namespace mdpipe::pacing
