#pragma once
// The users who may read /metrics: a file of users and salted password hashes, as `htpasswd -B` and `openssl
// passwd -6` make them. Verifying a hash is slow by design. So it is never done in the loop, only one hash is
// verified at a time, and correct passwords are remembered by a fingerprint.
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

// Of an Authorization header; nothing if its scheme is not Basic (RFC 7617).
std::optional<Credentials> parse_basic(std::string_view authorization);

class PasswordFile {
 public:
  // Lines `user:hash`; empty lines and lines that begin with # are skipped. An error names the option and the
  // number of the line, never its text.
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

// Can be used by any thread.
class BasicAuth {
 public:
  enum class Verdict { Right, Wrong, Busy };

  explicit BasicAuth(PasswordFile file);

  // Checks an Authorization header. Takes half a millisecond if it was right before; otherwise as long as the
  // verification of a hash, after those that other threads wait for.
  Verdict check(std::string_view authorization);
  // Forgets which passwords were right.
  void replace(PasswordFile file);

 private:
  Verdict verify(const Credentials& credentials, const std::string& candidate);
  [[nodiscard]] std::string fingerprint(const Credentials& credentials) const;
  [[nodiscard]] bool is_remembered(const std::string& candidate) const;
  void remember(const std::string& right);

  const std::string fingerprint_setting_;  // for crypt(3), different in each process
  std::mutex hashing_;                     // one at a time, so that a core is left for the loop
  std::mutex mutex_;                       // guards the members below
  std::shared_ptr<const PasswordFile> file_;
  std::vector<std::string> right_;  // fingerprints
  std::size_t verifying_ = 0;
};

}  // namespace mdpipe::agent
