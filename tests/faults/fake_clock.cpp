// Preloaded into a program, steps its wall clock: every reading is ahead by the nanoseconds that stand in the
// file MDPIPE_FAKE_CLOCK, a native 64-bit integer that may be changed at any time. The steady clock is left
// alone, as it is when a real clock is stepped. Not libfaketime: that allocates in its first call, which
// deadlocks in redis-server, whose jemalloc reads the clock while it sets itself up.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNoStep = 0;

const volatile std::int64_t* map_offset() {
  const char* path = std::getenv("MDPIPE_FAKE_CLOCK");
  const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return &kNoStep;
  void* mapped = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  (void)::close(file);
  return mapped == MAP_FAILED ? &kNoStep : static_cast<const volatile std::int64_t*>(mapped);
}

// A first call may come before any constructor ran, from several threads at once at worst: mapping twice does
// no harm.
std::int64_t offset_ns() {
  static const volatile std::int64_t* mapped = nullptr;
  if (mapped == nullptr) mapped = map_offset();
  return *mapped;
}

void step(timespec& time) {
  const std::int64_t total = static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec + offset_ns();
  time.tv_sec = static_cast<time_t>(total / kSecond);
  time.tv_nsec = static_cast<decltype(time.tv_nsec)>(total % kSecond);
}

timespec wall_clock() {
  timespec time{};
  (void)::syscall(SYS_clock_gettime, CLOCK_REALTIME, &time);
  step(time);
  return time;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved names
extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) step(*time);
  return result;
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  const timespec now = wall_clock();
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) noexcept {
  const time_t now = wall_clock().tv_sec;
  if (out != nullptr) *out = now;
  return now;
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
