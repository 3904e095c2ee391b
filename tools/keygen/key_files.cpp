#include "tools/keygen/key_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mdpipe::keygen {
namespace {

// Empty, or the system's error.
std::string write_new_file(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return std::strerror(errno);
  const bool written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  std::string why = written ? std::string() : std::strerror(errno);
  ::close(fd);
  if (!written) ::unlink(path.c_str());
  return why;
}

Error cannot_write(const std::string& path, const std::string& why) {
  return Error{ErrorKind::BadConfig,
               fmt::format("cannot write '{}': {}; keys are never overwritten, the folder must be writable",
                           path, why)};
}

}  // namespace

Result<KeyFiles> write_key_files(const std::string& folder, const std::string& name,
                                 const transport::KeyPair& keys) {
  KeyFiles files{fmt::format("{}/{}.key_secret", folder, name), fmt::format("{}/{}.key", folder, name)};
  if (const auto why = write_new_file(files.secret, transport::certificate_text(name, keys)); !why.empty())
    return cannot_write(files.secret, why);
  if (const auto why =
          write_new_file(files.public_key, transport::certificate_text(name, {keys.public_key, {}}));
      !why.empty()) {
    ::unlink(files.secret.c_str());
    return cannot_write(files.public_key, why);
  }
  return files;
}

}  // namespace mdpipe::keygen
