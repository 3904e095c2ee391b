#pragma once
// An exclusive lock held for as long as the object lives. ZeroMQ lets a second process steal a bound ipc path
// silently, so whoever binds one holds "<path>.lock".
#include <string>

#include "libshared/result/result.hpp"

namespace mdpipe::process {

class LockFile {
 public:
  // Unavailable where another process holds it (the message names its pid), BadConfig where it cannot be
  // created.
  static Result<LockFile> acquire(const std::string& path);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace mdpipe::process
