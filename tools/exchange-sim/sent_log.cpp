#include "tools/exchange-sim/sent_log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace mdpipe::sim {

Result<SentLog> SentLog::open(const std::string& path, bool at_once) {
  SentLog log;
  if (path.empty()) return log;
  log.file_.reset(std::fopen(path.c_str(), "we"));
  if (log.file_ == nullptr) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--log-sent: cannot create '{}': {}", path, std::strerror(errno))};
  }
  constexpr std::size_t kBufferBytes = 1U << 20U;
  (void)std::setvbuf(log.file_.get(), nullptr, at_once ? _IOLBF : _IOFBF, kBufferBytes);
  return log;
}

void SentLog::frame(std::uint64_t connection, UnixNanos time, std::string_view text) {
  if (file_ == nullptr) return;
  fmt::print(file_.get(), "{}\t{}\t{}\n", connection, time.count, text);
}

void SentLog::note(std::uint64_t connection, UnixNanos time, std::string_view text) {
  if (file_ == nullptr) return;
  fmt::print(file_.get(), "# {}\t{}\t{}\n", connection, time.count, text);
}

void SentLog::flush() {
  if (file_ != nullptr) (void)std::fflush(file_.get());
}

}  // namespace mdpipe::sim
