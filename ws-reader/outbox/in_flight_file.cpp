#include "ws-reader/outbox/in_flight_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "libshared/metrics/persistent_memory.hpp"

namespace mdpipe::reader {
namespace {

constexpr std::string_view kMagic = "mdpipe in-flight";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::uint64_t kFeedsAtOnce = 64;  // whose disk space is allocated together

Error failed(std::string_view action, const std::string& path, int error) {
  return Error{ErrorKind::Unavailable, fmt::format("cannot {} '{}': {}", action, path, std::strerror(error))};
}

// Allocates disk space, so that a full disk is an error here instead of a SIGBUS later.
int allocate(int fd, std::size_t offset, std::size_t bytes) {
  return posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

}  // namespace

std::uint32_t InFlightFile::Header::checksum_of_fixed() const {
  Header fixed = *this;
  fixed.fixed_checksum = 0;
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(&fixed), offsetof(Header, feed_count)));
}

std::string_view InFlightFile::Feed::name() const {
  return {symbol, std::min<std::size_t>(symbol_chars, sizeof symbol)};
}

Result<InFlightFile> InFlightFile::create(const SequenceLogOptions& options, std::uint64_t epoch,
                                          std::uint64_t origin) {
  static_assert(sizeof(Header) <= kHeaderBytes && sizeof(Feed) == 64);
  Header header{};
  header.version = kFormatVersion;
  header.capacity = options.capacity;
  header.feeds_max = options.feeds_max;
  header.epoch = epoch;
  header.origin = origin;
  if (!metrics::copy_text(options.boot_id, header.boot_id) ||
      !metrics::copy_text(options.source, header.source) ||
      !metrics::copy_text(options.exchange, header.exchange))
    return Error{ErrorKind::Unavailable, "the names of source or exchange are too long"};

  InFlightFile file;
  (void)unlink(options.path.c_str());  // its events are accounted for
  file.fd_ = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (file.fd_ < 0) return failed("make", options.path, errno);
  const std::size_t begin = feeds_begin(options.capacity);
  if (const int error = allocate(file.fd_, 0, begin); error != 0)
    return failed("allocate disk space for", options.path, error);
  const std::size_t bytes = begin + options.feeds_max * sizeof(Feed);
  if (ftruncate(file.fd_, static_cast<off_t>(bytes)) != 0 || !file.map(options.capacity, options.feeds_max))
    return failed("map", options.path, errno);

  std::memcpy(header.magic, kMagic.data(), kMagic.size());
  header.fixed_checksum = header.checksum_of_fixed();
  std::memcpy(file.memory_ + sizeof header.magic, &header.version, sizeof header - sizeof header.magic);
  return Result<InFlightFile>(std::move(file));
}

// The magic is written last: a reader that was killed before leaves a file without it.
void InFlightFile::publish() {
  metrics::in_this_order();
  std::memcpy(memory_, kMagic.data(), kMagic.size());
}

std::optional<InFlightFile> InFlightFile::open(const SequenceLogOptions& options, const char*& why_unusable) {
  InFlightFile file;
  file.fd_ = ::open(options.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file.fd_ < 0) return std::nullopt;
  bool is_stale = false;
  why_unusable = file.check_and_map(options, is_stale);
  if (why_unusable != nullptr || is_stale) return std::nullopt;
  return std::optional<InFlightFile>(std::move(file));
}

// Returns why the file is unusable, or null. Null with `is_stale` if it is sound and of no use.
const char* InFlightFile::check_and_map(const SequenceLogOptions& options, bool& is_stale) {
  struct stat status {};
  Header on_disk{};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return "it is not a regular file";
  if (pread(fd_, &on_disk, sizeof on_disk, 0) != static_cast<ssize_t>(sizeof on_disk))
    return "it is truncated";
  is_stale = on_disk.magic[0] == '\0';  // never published
  if (is_stale) return nullptr;
  if (std::string_view(on_disk.magic, sizeof on_disk.magic) != kMagic) return "it is not an in-flight file";
  if (on_disk.version != kFormatVersion) return "its version is not supported";
  if (on_disk.fixed_checksum != on_disk.checksum_of_fixed()) return "its checksum is wrong";
  if (options.source != on_disk.source) return "it belongs to another reader";
  is_stale = options.boot_id != on_disk.boot_id;
  if (is_stale) return nullptr;
  const std::size_t begin = feeds_begin(on_disk.capacity);
  if (static_cast<std::size_t>(status.st_size) < begin + on_disk.feeds_max * sizeof(Feed) ||
      on_disk.feed_count > on_disk.feeds_max)
    return "its sizes are wrong";
  const bool is_mapped = allocate(fd_, 0, begin + on_disk.feed_count * sizeof(Feed)) == 0 &&
                         map(on_disk.capacity, on_disk.feeds_max);
  return is_mapped ? nullptr : "it cannot be mapped";
}

bool InFlightFile::map(std::uint32_t capacity, std::uint32_t feeds_max) {
  const std::size_t bytes = feeds_begin(capacity) + feeds_max * sizeof(Feed);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<char*>(memory);
  feeds_ = reinterpret_cast<Feed*>(memory_ + feeds_begin(capacity));
  mapped_bytes_ = bytes;
  mask_ = capacity - 1;
  return true;
}

bool InFlightFile::allocate_feed() const {
  const Header& head = header();
  const std::uint64_t at = head.feed_count;
  if (at >= head.feeds_max) return false;
  if (at % kFeedsAtOnce != 0) return true;
  const std::uint64_t count = std::min<std::uint64_t>(kFeedsAtOnce, head.feeds_max - at);
  return allocate(fd_, feeds_begin(head.capacity) + at * sizeof(Feed), count * sizeof(Feed)) == 0;
}

InFlightFile::InFlightFile(InFlightFile&& other) noexcept { *this = std::move(other); }

InFlightFile& InFlightFile::operator=(InFlightFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(memory_, other.memory_);
  std::swap(feeds_, other.feeds_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(mask_, other.mask_);
  return *this;
}

InFlightFile::~InFlightFile() {
  if (memory_ != nullptr) munmap(memory_, mapped_bytes_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace mdpipe::reader
