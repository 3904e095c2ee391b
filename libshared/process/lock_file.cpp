#include "libshared/process/lock_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mdpipe::process {

Result<LockFile> LockFile::acquire(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660);
  if (fd < 0) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("cannot create the lock file '{}': {}; the folder must exist and be "
                             "writable, see --runtime-dir",
                             path, std::strerror(errno))};
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    const ssize_t bytes = pread(fd, holder.data(), holder.size() - 1, 0);
    close(fd);
    return Error{
        ErrorKind::Unavailable,
        fmt::format("'{}' is held by another instance (pid {}); stop it or give this one its own name", path,
                    bytes > 0 ? holder.data() : "unknown")};
  }
  const std::string pid = fmt::format("{}", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    close(fd);
    return Error{ErrorKind::BadConfig,
                 fmt::format("cannot write the lock file '{}': {}", path, std::strerror(errno))};
  }
  return LockFile(fd);
}

LockFile::LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

LockFile::~LockFile() {
  if (fd_ >= 0) close(fd_);  // the file stays: removing it would race with the next holder
}

}  // namespace mdpipe::process
