#pragma once
// Secrets come from files, never from flags or the environment: from the file that an option names, or from a
// credential of systemd.
#include <optional>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::config {

// What to read, and what error messages call it: {"redis-password-file", "redis_password", "the password"}.
struct SecretName {
  std::string_view option;
  std::string_view credential;
  std::string_view what;
};

// The secret in `file`, else in systemd's credential, else nothing. Line ends at its end are removed.
// BadConfig if it cannot be read or is empty.
Result<std::optional<std::string>> read_secret(const SecretName& name, const std::string& file);

}  // namespace mdpipe::config
