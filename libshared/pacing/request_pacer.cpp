#include "libshared/pacing/request_pacer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "libshared/log/log.hpp"

namespace mdpipe::pacing {
namespace {

using std::chrono::nanoseconds;

// A stored slot further away than this is from another boot, or is damaged.
constexpr nanoseconds kFarthestSlot = std::chrono::minutes(2);

// The same in every process of the host; it never goes back.
nanoseconds boot_clock() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

}  // namespace

RequestPacer::RequestPacer(std::chrono::milliseconds interval, std::string shared_file)
    : interval_(interval), shared_file_(std::move(shared_file)) {}

std::chrono::milliseconds RequestPacer::reserve() {
  const nanoseconds now = boot_clock();
  nanoseconds slot = std::max(now, next_free_);
  if (!shared_file_.empty()) {
    const int fd = open(shared_file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (fd >= 0) {
      slot = reserve_shared(now, fd);
      close(fd);
    } else {
      log::warn("requests are paced for this reader alone: the file shared with others cannot be opened",
                {{"file", shared_file_}, {"error", std::strerror(errno)}});
      shared_file_.clear();
    }
  }
  next_free_ = slot + interval_;
  return std::chrono::ceil<std::chrono::milliseconds>(slot - now);
}

nanoseconds RequestPacer::reserve_shared(nanoseconds now, int fd) const {
  // Another process holds the lock for two system calls only, so this does not block the loop noticeably.
  while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
  }
  std::int64_t stored = 0;
  if (pread(fd, &stored, sizeof stored, 0) != static_cast<ssize_t>(sizeof stored)) stored = 0;
  nanoseconds slot = std::max(now, nanoseconds(stored));
  if (slot - now > kFarthestSlot) slot = now;
  const std::int64_t next = (slot + interval_).count();
  if (pwrite(fd, &next, sizeof next, 0) != static_cast<ssize_t>(sizeof next)) {
    log::warn("the pacing file cannot be written", {{"error", std::strerror(errno)}});
  }
  return slot;  // closing the descriptor ends the lock
}

}  // namespace mdpipe::pacing
