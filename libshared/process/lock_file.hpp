#pragma once
// An exclusive lock, held as long as the object exists. ZeroMQ silently lets a second process take over a
// bound ipc path, so a program that binds one holds "<path>.lock".
#include <string>

#include "libshared/result/result.hpp"

namespace mdpipe::process {

class LockFile {
 public:
  // Unavailable if another process holds it (the message names its pid), BadConfig if it cannot be
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
