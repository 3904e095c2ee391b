#include "libshared/transport/curve_key.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <zmq.hpp>

#include "libshared/config/secret_file.hpp"

namespace mdpipe::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyChars = 40;  // Z85 of 32 bytes
constexpr std::string_view kOption = "curve-key-file";
constexpr std::string_view kExtension = ".key";
constexpr std::size_t kPeersMax = 1024;
constexpr std::size_t kFileBytesMax = 64U << 10U;

Error bad_key(std::string message) { return Error{ErrorKind::BadConfig, std::move(message)}; }

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> binary{};
  return text.size() == kKeyChars && zmq_z85_decode(binary.data(), text.c_str()) != nullptr;
}

// The text in quotes after `name` and an equals sign.
std::string value_of(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  const std::size_t open = text.find('"', std::min(at, text.size()));
  const std::size_t close = open == std::string_view::npos ? open : text.find('"', open + 1);
  if (at == std::string_view::npos || close == std::string_view::npos) return {};
  std::string value(text.substr(open + 1, close - open - 1));
  return is_key(value) ? value : std::string();
}

std::string read_text(const std::string& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec) || fs::file_size(path, ec) > kFileBytesMax) return {};
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

KeyPair make_key_pair() {
  std::array<char, kKeyChars + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) throw zmq::error_t();
  return {public_key.data(), secret_key.data()};
}

std::string certificate_text(std::string_view name, const KeyPair& keys) {
  const bool is_secret = !keys.secret_key.empty();
  return fmt::format("# ZeroMQ CURVE {} key of {}{}\ncurve\n    public-key = \"{}\"\n{}",
                     is_secret ? "secret" : "public", name,
                     is_secret ? ": for this program alone, show it to nobody" : "", keys.public_key,
                     is_secret ? fmt::format("    secret-key = \"{}\"\n", keys.secret_key) : std::string());
}

KeyPair parse_certificate(std::string_view text) {
  return {value_of(text, "public-key"), value_of(text, "secret-key")};
}

Result<std::optional<KeyPair>> read_key_pair(const std::string& file) {
  const auto text = config::read_secret({kOption, "curve_key", "a secret key of mdpipe-keygen"}, file);
  if (!text) return text.error();
  if (!text.value()) return std::optional<KeyPair>();
  struct stat status {};
  if (!file.empty() && ::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return bad_key(fmt::format("--{} '{}': everybody on this host may read it; chmod 600 it", kOption, file));
  KeyPair keys = parse_certificate(*text.value());
  if (keys.public_key.empty() || keys.secret_key.empty()) {
    return bad_key(fmt::format(
        "--{} '{}': holds no secret key; name the file NAME.key_secret of mdpipe-keygen", kOption, file));
  }
  return std::optional<KeyPair>(std::move(keys));
}

Result<std::string> read_public_key(std::string_view option, const std::string& file) {
  std::string key = parse_certificate(read_text(file)).public_key;
  if (!key.empty()) return key;
  return bad_key(
      fmt::format("--{} '{}': cannot be read or holds no public key; name the file NAME.key of mdpipe-keygen",
                  option, file));
}

Result<PeerKeys> read_peer_keys(std::string_view option, const std::string& folder) {
  std::error_code ec;
  PeerKeys peers;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (entry.path().extension() != kExtension) continue;
    const auto key = read_public_key(option, entry.path().string());
    if (!key) return key.error();
    peers.emplace(key.value(), entry.path().stem().string());
    if (peers.size() > kPeersMax)
      return bad_key(fmt::format("--{} '{}': holds more than {} keys", option, folder, kPeersMax));
  }
  if (!ec) return peers;
  return bad_key(
      fmt::format("--{} '{}': {}; name a folder of public keys, NAME.key", option, folder, ec.message()));
}

}  // namespace mdpipe::transport
