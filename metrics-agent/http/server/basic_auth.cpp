#include "metrics-agent/http/server/basic_auth.hpp"

#include <crypt.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "libshared/text/ascii.hpp"

namespace mdpipe::agent {
namespace {

constexpr std::size_t kUsersMax = 64;
constexpr std::size_t kFileBytesMax = 64U << 10U;
constexpr std::size_t kCredentialBytesMax = 512;  // longer ones are wrong; bcrypt uses 72 bytes
constexpr std::size_t kVerifyingMax = 8;          // including those that wait
constexpr std::size_t kRememberedMax = 16;

// crypt(5): bcrypt, yescrypt, SHA-512 and SHA-256, with the length of the text after the last '$'. Older
// methods can be broken in minutes.
struct HashMethod {
  std::string_view prefix;
  std::size_t tail_bytes;
};
constexpr std::array<HashMethod, 5> kHashMethods = {
    {{"$2b$", 53}, {"$2y$", 53}, {"$y$", 43}, {"$6$", 86}, {"$5$", 43}}};

bool is_strong_hash(const std::string& hash) {
  const auto is_of = [&hash](const HashMethod& method) {
    return hash.rfind(method.prefix, 0) == 0 && hash.size() - hash.rfind('$') - 1 == method.tail_bytes;
  };
  return std::any_of(kHashMethods.begin(), kHashMethods.end(), is_of) &&
         crypt_checksalt(hash.c_str()) == CRYPT_SALT_OK;
}

// Takes the same time wherever the texts differ.
bool is_equal(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned>(static_cast<unsigned char>(b[i]));
  return difference == 0;
}

// crypt(3) with a setting or an earlier hash; empty if it cannot be computed.
std::string crypt_hash(const std::string& text, const std::string& setting) {
  const auto scratch = std::make_unique<crypt_data>();  // 32 KiB
  const char* const made = crypt_r(text.c_str(), setting.c_str(), scratch.get());
  std::string out = made != nullptr && made[0] != '*' ? made : "";
  explicit_bzero(scratch.get(), sizeof(*scratch));
  return out;
}

bool is_hash_of(const std::string& hash, const std::string& password) {
  const std::string made = crypt_hash(password, hash);
  return !made.empty() && is_equal(made, hash);
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xffU));
  }
  return out;
}

// The fewest rounds that SHA-256 of crypt(3) allows, half a millisecond, with a salt of this process.
std::string fingerprint_setting() {
  constexpr std::string_view kSaltDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<unsigned char, 16> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    throw std::runtime_error("the kernel gives no random numbers");
  std::string setting = "$5$rounds=1000$";
  for (const unsigned char byte : random) setting += kSaltDigits[byte % kSaltDigits.size()];
  return setting + '$';
}

Error bad_file(const std::string& path, std::string_view why) {
  return {ErrorKind::BadConfig,
          fmt::format("--metrics-basic-auth-file '{}': {}; its lines are USER:HASH as `htpasswd -nB USER` "
                      "prints them, or HASH from `openssl passwd -6`",
                      path, why)};
}

}  // namespace

std::optional<Credentials> parse_basic(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.size() <= kScheme.size() || authorization.size() > kCredentialBytesMax)
    return std::nullopt;
  if (ascii::lower(authorization.substr(0, kScheme.size())) != kScheme) return std::nullopt;
  std::string_view encoded = authorization.substr(kScheme.size());
  while (!encoded.empty() && encoded.front() == ' ') encoded.remove_prefix(1);
  const auto text = decode_base64(encoded);
  if (!text) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos || text->find('\0') != std::string::npos) return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

Result<PasswordFile> PasswordFile::read(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream.is_open()) return bad_file(path, std::strerror(errno));
  std::string text(kFileBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return bad_file(path, "cannot be read");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kFileBytesMax) return bad_file(path, "is larger than 64 KiB");
  return parse(text, path);
}

Result<PasswordFile> PasswordFile::parse(std::string_view text, const std::string& path) {
  PasswordFile out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos)
      return bad_file(path, fmt::format("line {} names no user", number));
    Entry entry{std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))};
    if (!is_strong_hash(entry.hash))
      return bad_file(path, fmt::format("line {} has no bcrypt, yescrypt, SHA-512 or SHA-256 hash", number));
    out.entries_.push_back(std::move(entry));
  }
  if (out.entries_.empty()) return bad_file(path, "names no user");
  if (out.entries_.size() > kUsersMax)
    return bad_file(path, fmt::format("names more than {} users", kUsersMax));
  return out;
}

bool PasswordFile::verify(const Credentials& credentials) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.user == credentials.user; });
  // Also for an unknown user a hash is computed, so that the time does not show whether the user exists.
  const Entry& entry = found == entries_.end() ? entries_.front() : *found;
  return is_hash_of(entry.hash, credentials.password) && found != entries_.end();
}

BasicAuth::BasicAuth(PasswordFile file)
    : fingerprint_setting_(agent::fingerprint_setting()),
      file_(std::make_shared<const PasswordFile>(std::move(file))) {}

BasicAuth::Verdict BasicAuth::check(std::string_view authorization) {
  const auto credentials = parse_basic(authorization);
  if (!credentials) return Verdict::Wrong;
  const std::string candidate = fingerprint(*credentials);
  {
    const std::lock_guard lock(mutex_);
    if (is_remembered(candidate)) return Verdict::Right;
    if (verifying_ >= kVerifyingMax) return Verdict::Busy;
    ++verifying_;
  }
  return verify(*credentials, candidate);
}

BasicAuth::Verdict BasicAuth::verify(const Credentials& credentials, const std::string& candidate) {
  const std::lock_guard hashing(hashing_);
  std::unique_lock lock(mutex_);
  const auto file = file_;
  lock.unlock();
  const bool is_right = file->verify(credentials);
  lock.lock();
  --verifying_;
  if (is_right && file == file_) remember(candidate);
  return is_right ? Verdict::Right : Verdict::Wrong;
}

void BasicAuth::replace(PasswordFile file) {
  auto next = std::make_shared<const PasswordFile>(std::move(file));
  const std::lock_guard lock(mutex_);
  file_ = std::move(next);
  right_.clear();
}

std::string BasicAuth::fingerprint(const Credentials& credentials) const {
  return crypt_hash(credentials.user + ':' + credentials.password, fingerprint_setting_);
}

bool BasicAuth::is_remembered(const std::string& candidate) const {
  return !candidate.empty() && std::any_of(right_.begin(), right_.end(), [&](const std::string& right) {
    return is_equal(right, candidate);
  });
}

void BasicAuth::remember(const std::string& right) {
  if (right.empty() || is_remembered(right)) return;
  if (right_.size() >= kRememberedMax) right_.erase(right_.begin());
  right_.push_back(right);
}

}  // namespace mdpipe::agent
