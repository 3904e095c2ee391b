#pragma once
// Who may read /metrics: users and salted hashes of their passwords in a file, as `htpasswd -B` and `openssl
// passwd -6` make them. A hash is slow to verify by design, so that is never done in the loop, one at a time,
// and what was right is remembered by a fingerprint.
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/result/result.hpp"

namespace mdpipe::agent {

struct Credentials {
  std::string user, password;
};

// Of an Authorization header; nothing where it is not of the scheme Basic (RFC 7617).
std::optional<Credentials> parse_basic(std::string_view authorization);

class PasswordFile {
 public:
  // Lines `user:hash`, empty ones and those that begin with # left out. An error names the option and the
  // line, never what stands there.
  static Result<PasswordFile> read(const std::string& path);
  static Result<PasswordFile> parse(std::string_view text, const std::string& path);

  // Takes tens of milliseconds, also for a user who is not in the file.
  [[nodiscard]] bool verify(const Credentials& credentials) const;

 private:
  struct Entry {
    std::string user, hash;
  };
  std::vector<Entry> entries_;  // at least one
};

// For any thread.
class BasicAuth {
 public:
  enum class Verdict { Right, Wrong, Busy };

  explicit BasicAuth(PasswordFile file);

  // Of an Authorization header. Half a millisecond where it was right before; otherwise as long as a hash
  // takes, and those that others wait for.
  Verdict check(std::string_view authorization);
  // Forgets what was right.
  void replace(PasswordFile file);

 private:
  Verdict verify(const Credentials& credentials, const std::string& candidate);
  [[nodiscard]] std::string fingerprint(const Credentials& credentials) const;
  [[nodiscard]] bool is_remembered(const std::string& candidate) const;
  void remember(const std::string& right);

  const std::string fingerprint_setting_;  // for crypt(3), of this process alone
  std::mutex hashing_;                     // one at a time: a core is left for the loop
  std::mutex mutex_;                       // of what follows
  std::shared_ptr<const PasswordFile> file_;
  std::vector<std::string> right_;  // fingerprints
  std::size_t verifying_ = 0;
};

}  // namespace mdpipe::agent
