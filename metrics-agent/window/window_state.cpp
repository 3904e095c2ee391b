#include "metrics-agent/window/window_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "libshared/log/log.hpp"
#include "libshared/metrics/delta.hpp"

namespace mdpipe::agent {
namespace {

// "mdpipe-window-state 1\n", boot id "\n", end of the last window in ns "\n", then the crc32 of the rest in
// hex "\n", then one metrics message a source and one a destination with undelivered counts, each after its
// length in four bytes, low byte first.
constexpr std::string_view kMagic = "mdpipe-window-state 1\n";
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kFileBytesMax = 64 << 20;
constexpr std::size_t kCoveredSourcesMax = 512;
constexpr std::int64_t kForgetAfterNs = 7LL * 24 * 3600 * 1'000'000'000;

// Continues from the checksum of the bytes before.
std::uint32_t checksum(std::string_view bytes, std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(
      crc32(before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::optional<std::string_view> take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return line;
}

std::optional<std::string_view> take_message(std::string_view& bytes) {
  if (bytes.size() < kLengthBytes) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length |= std::size_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  bytes.remove_prefix(kLengthBytes);
  if (bytes.size() < length) return std::nullopt;
  const std::string_view message = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return message;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool write_file(const std::string& path, const StatePieces& pieces) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return false;
  for (const std::string_view piece : pieces) {
    if (write_all(fd, piece)) continue;
    const int error = errno;
    close(fd);
    errno = error;
    return false;
  }
  return close(fd) == 0;  // no fsync: the state has to outlive the process, a reboot starts new epochs
}

Error corrupt(std::string_view why) { return Error{ErrorKind::Protocol, std::string(why)}; }

std::string staged_path(const std::string& path) { return path + ".new"; }

}  // namespace

void StateMessages::clear() {
  bytes.clear();
  checksum = 0;
}

void StateMessages::append(const metrics::Delta& delta) {
  const std::size_t begin = bytes.size();
  bytes.append(std::string_view("\0\0\0\0", kLengthBytes));
  encode(delta, bytes);
  const std::size_t length = bytes.size() - begin - kLengthBytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    bytes.data()[begin + i] = static_cast<char>((length >> (8 * i)) & 0xffU);
  checksum = agent::checksum(bytes.view().substr(begin), checksum);
}

std::string checkpoint_head(std::optional<SteadyTime> end, std::string_view boot_id,
                            const std::vector<const StateMessages*>& messages) {
  uLong sum = 0;
  for (const StateMessages* one : messages)
    sum = crc32_combine(sum, one->checksum, static_cast<z_off_t>(one->bytes.size()));
  return fmt::format("{}{}\n{}\n{:08x}\n", kMagic, boot_id, end ? end->time_since_epoch().count() : 0, sum);
}

Result<WindowCheckpoint> decode_checkpoint(std::string_view bytes, const BootClock& clock) {
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return corrupt("it does not begin as a window state of this release");
  bytes.remove_prefix(kMagic.size());
  const auto boot_id = take_line(bytes);
  const auto end = take_line(bytes);
  const auto sum = take_line(bytes);
  if (!boot_id || !end || !sum) return corrupt("its head is cut short");
  if (fmt::format("{:08x}", checksum(bytes)) != *sum) return corrupt("its checksum is wrong");
  WindowCheckpoint checkpoint;
  if (*boot_id == clock.boot_id) {
    const std::chrono::nanoseconds since_boot(std::strtoll(std::string(*end).c_str(), nullptr, 10));
    checkpoint.end = SteadyTime(since_boot);
  }
  while (!bytes.empty()) {
    const auto message = take_message(bytes);
    if (!message || checkpoint.covered.size() >= kCoveredSourcesMax) return corrupt("its length is wrong");
    auto delta = metrics::decode_delta(*message);
    if (!delta) return delta.error();
    delta.value().series.take_over();  // the checkpoint outlives the bytes
    if (clock.wall.count - delta.value().time_ns >= kForgetAfterNs) continue;
    auto& list =
        delta.value().component == kDestinationComponent ? checkpoint.undelivered : checkpoint.covered;
    list.push_back(std::move(delta.value()));
  }
  return checkpoint;
}

WindowStateFile::WindowStateFile(const std::string& folder)
    : path_(folder.empty() ? std::string() : folder + "/metrics-agent.state") {}

WindowCheckpoint WindowStateFile::load(const BootClock& clock) {
  if (!usable()) {
    log::warn(
        "no --state-dir: after a restart of metrics-agent its first window counts from the components' "
        "start");
    return {};
  }
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(),
                                      ec);  // stage() reports what is wrong
  stage({});
  if (!usable()) return {};
  const auto bytes_max = std::filesystem::file_size(path_, ec);
  if (ec) return {};  // the first start
  std::ifstream file(path_, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  auto checkpoint = bytes_max > kFileBytesMax ? Result<WindowCheckpoint>(corrupt("it is too large"))
                                              : decode_checkpoint(bytes, clock);
  if (checkpoint) return std::move(checkpoint.value());
  set_aside(checkpoint.error().message);
  return {};
}

void WindowStateFile::stage(const StatePieces& pieces) {
  staged_ = false;
  if (!usable()) return;
  if (!write_file(staged_path(path_), pieces)) return give_up("write", errno);
  staged_ = true;
}

void WindowStateFile::commit() {
  if (!staged_) return;
  staged_ = false;
  if (rename(staged_path(path_).c_str(), path_.c_str()) != 0) give_up("rename", errno);
}

void WindowStateFile::give_up(std::string_view action, int error) {
  log::warn(
      "cannot save the window state; without it, a restart of metrics-agent repeats counts in "
      "the "
      "window log: make --state-dir a writable folder",
      {{"action", action}, {"file", path_}, {"error", std::strerror(error)}});
  path_.clear();
}

void WindowStateFile::set_aside(const std::string& why) {
  const std::string aside = fmt::format("{}.corrupt-{}", path_, wall_now().count / 1'000'000'000);
  const bool moved = rename(path_.c_str(), aside.c_str()) == 0;
  log::warn(
      "the window state is not usable; it was set aside, and the first window counts from the components' "
      "start",
      {{"file", path_}, {"moved_to", moved ? aside : std::string("nowhere")}, {"why", why}});
}

}  // namespace mdpipe::agent
