#include "libshared/config/secret_file.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace mdpipe::config {

Result<std::optional<std::string>> read_secret(const SecretName& name, const std::string& file) {
  std::string path = file;
  if (path.empty()) {
    const char* credentials =
        std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe): read at start
    if (credentials == nullptr) return std::optional<std::string>();
    path = fmt::format("{}/{}", credentials, name.credential);
    if (!std::filesystem::exists(path)) return std::optional<std::string>();
  }
  std::error_code ec;
  std::ifstream stream;
  if (!std::filesystem::is_directory(path, ec)) stream.open(path);  // reading a folder would throw
  std::string secret;
  if (stream.is_open()) secret.assign(std::istreambuf_iterator<char>(stream), {});
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--{} '{}': cannot be read or is empty; it holds {} and nothing else",
                             name.option, path, name.what)};
  }
  return std::optional<std::string>(secret);
}

}  // namespace mdpipe::config
