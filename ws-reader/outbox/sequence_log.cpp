#include "ws-reader/outbox/sequence_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>

#include "libshared/log/log.hpp"
#include "libshared/metrics/persistent_memory.hpp"

namespace mdpipe::reader {

using metrics::copy_text;
using metrics::in_this_order;

namespace {

// The file: a page with the header, the ring (the feed of number n at n modulo its size), the feeds.
constexpr std::string_view kMagic = "mdpipe in-flight";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kRoomEntries = 64;  // feeds whose room is taken at once
constexpr std::uint8_t kNoChannel = 0xFF;
constexpr std::size_t kChannels = std::size(kMarketTypes);
constexpr SequenceLog::Feed kUnknown = std::numeric_limits<SequenceLog::Feed>::max();

Error failed(std::string_view action, const std::string& path, int error) {
  return Error{ErrorKind::Unavailable, fmt::format("cannot {} '{}': {}", action, path, std::strerror(error))};
}

}  // namespace

struct SequenceLog::Header {
  char magic[16];
  // Fixed when the file is made, and covered by the checksum.
  std::uint32_t version;
  std::uint32_t capacity;
  std::uint32_t feeds_max;
  std::uint32_t fixed_checksum;
  char boot_id[64];
  char source[256];
  char exchange[64];
  std::uint64_t epoch;
  std::uint64_t origin;
  // What changes.
  std::uint64_t feed_count;
  std::uint64_t last_seq;
  std::uint64_t confirmed;
  // The note in hand, written down before it is made: where it is the one behind last_seq, it is made again.
  std::uint64_t pending_seq;
  std::uint64_t hand_numbered;
  std::uint32_t pending_feed;
  std::uint32_t is_overfull;  // a feed found no room
  std::uint32_t is_complete;
  std::uint32_t is_decided;

  [[nodiscard]] std::uint32_t checksum_of_fixed() const {
    Header fixed = *this;
    fixed.fixed_checksum = 0;
    return static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(&fixed), offsetof(Header, feed_count)));
  }
};

struct SequenceLog::Entry {
  std::uint64_t base;      // expected before this life
  std::uint64_t numbered;  // in this life
  std::uint64_t lost;      // decided and not told yet
  std::uint8_t channel;
  std::uint8_t symbol_chars;
  char symbol[38];

  [[nodiscard]] std::string_view name() const {
    return {symbol, std::min<std::size_t>(symbol_chars, sizeof symbol)};
  }
};

std::size_t SequenceLog::entries_begin(std::uint32_t capacity) {
  return kHeaderBytes + capacity * sizeof(Feed);
}

SequenceLog::Feed* SequenceLog::ring() const { return reinterpret_cast<Feed*>(memory_ + kHeaderBytes); }

SequenceLog::Entry* SequenceLog::entries() const {
  return reinterpret_cast<Entry*>(memory_ + entries_begin(header().capacity));
}

bool SequenceLog::map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<char*>(memory);
  mapped_bytes_ = bytes;
  return true;
}

Result<SequenceLog> SequenceLog::create(const InFlightOptions& options, std::uint64_t epoch,
                                        std::uint64_t origin, const Expected& expected) {
  static_assert(sizeof(Header) <= kHeaderBytes && sizeof(Entry) == 64);
  Header fixed{};
  fixed.version = kFormatVersion;
  fixed.capacity = options.capacity;
  fixed.feeds_max = options.feeds_max;
  fixed.epoch = epoch;
  fixed.origin = origin;
  if (!copy_text(options.boot_id, fixed.boot_id) || !copy_text(options.source, fixed.source) ||
      !copy_text(options.exchange, fixed.exchange))
    return Error{ErrorKind::Unavailable, "the names of source or exchange are too long"};
  SequenceLog file;
  (void)unlink(options.path.c_str());  // what was in it is settled
  file.fd_ = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (file.fd_ < 0) return failed("make", options.path, errno);
  // Room is taken in advance, so that a full disk is an error here and no SIGBUS later.
  const std::size_t begin = entries_begin(options.capacity);
  const int error = posix_fallocate(file.fd_, 0, static_cast<off_t>(begin));
  if (error != 0) return failed("take room for", options.path, error);
  const std::size_t bytes = begin + options.feeds_max * sizeof(Entry);
  if (ftruncate(file.fd_, static_cast<off_t>(bytes)) != 0 || !file.map(bytes))
    return failed("map", options.path, errno);
  std::memcpy(fixed.magic, kMagic.data(), kMagic.size());
  fixed.fixed_checksum = fixed.checksum_of_fixed();
  // The magic goes last: a file without it is one whose maker was killed here.
  std::memcpy(file.memory_ + sizeof fixed.magic, &fixed.version, sizeof fixed - sizeof fixed.magic);
  file.mask_ = options.capacity - 1;
  for (const Feed reserved : {kUncounted, kOther}) {
    if (file.add(EventType::Feed, {}, 0) != reserved) return failed("take room for", options.path, errno);
    file.entries()[reserved].channel = kNoChannel;
  }
  for (const auto& [name, count] : expected) file.add(name.first, name.second, count);
  file.index_entries();
  in_this_order();
  std::memcpy(file.memory_, fixed.magic, sizeof fixed.magic);
  return Result<SequenceLog>(std::move(file));
}

std::optional<SequenceLog> SequenceLog::load(const InFlightOptions& options) {
  SequenceLog file;
  file.fd_ = ::open(options.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file.fd_ < 0) return std::nullopt;
  bool is_stale = false;
  const char* why = file.examine(options, is_stale);
  if (is_stale) return std::nullopt;
  if (why == nullptr) return std::optional<SequenceLog>(std::move(file));
  const std::string aside = options.path + ".unusable";
  const bool moved = rename(options.path.c_str(), aside.c_str()) == 0;
  log::warn("what an earlier life had on its way cannot be told; what of it was lost is counted nowhere",
            {{"file", options.path}, {"moved_to", moved ? aside : ""}, {"why", why}});
  return std::nullopt;
}

// Null where the file is usable; then it is mapped.
const char* SequenceLog::examine(const InFlightOptions& options, bool& is_stale) {
  struct stat status {};
  Header on_disk{};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return "it is no file";
  if (pread(fd_, &on_disk, sizeof on_disk, 0) != static_cast<ssize_t>(sizeof on_disk))
    return "it is cut short";
  is_stale = on_disk.magic[0] == '\0';  // its maker was killed before it was ready
  if (is_stale) return nullptr;
  if (std::string_view(on_disk.magic, sizeof on_disk.magic) != kMagic) return "it holds something else";
  if (on_disk.version != kFormatVersion) return "it is of another version";
  if (on_disk.fixed_checksum != on_disk.checksum_of_fixed()) return "its checksum is wrong";
  if (options.source != on_disk.source) return "it is another reader's";
  is_stale = options.boot_id != on_disk.boot_id;
  if (is_stale) return nullptr;
  const std::size_t bytes = entries_begin(on_disk.capacity) + on_disk.feeds_max * sizeof(Entry);
  if (static_cast<std::size_t>(status.st_size) < bytes || on_disk.feed_count > on_disk.feeds_max)
    return "its sizes are wrong";
  const std::size_t written = entries_begin(on_disk.capacity) + on_disk.feed_count * sizeof(Entry);
  if (posix_fallocate(fd_, 0, static_cast<off_t>(written)) != 0 || !map(bytes)) return "it cannot be mapped";
  mask_ = on_disk.capacity - 1;
  if (!finish_last_note() || !adds_up()) return "its counts do not add up";
  index_entries();
  return nullptr;
}

bool SequenceLog::finish_last_note() {
  Header& head = header();
  if (head.pending_seq != head.last_seq + 1) return true;
  if (head.pending_feed >= head.feed_count) return false;
  ring()[head.pending_seq & mask_] = static_cast<Feed>(head.pending_feed);
  entries()[head.pending_feed].numbered = head.hand_numbered;
  in_this_order();
  head.last_seq = head.pending_seq;
  return true;
}

bool SequenceLog::adds_up() const {
  const Header& head = header();
  if (head.feed_count <= kOther || head.confirmed > head.last_seq) return false;
  std::uint64_t numbered = 0;
  for (std::size_t i = 0; i < head.feed_count; ++i) numbered += entries()[i].numbered;
  const std::uint64_t in_ring = std::min<std::uint64_t>(head.last_seq, head.capacity);
  for (std::uint64_t i = 0; i < in_ring; ++i) {
    if (ring()[(head.last_seq - i) & mask_] >= head.feed_count) return false;
  }
  return numbered == head.last_seq;
}

void SequenceLog::index_entries() {
  symbols_ = StringIndex(header().feeds_max);
  for (std::size_t i = kOther + 1; i < header().feed_count; ++i) {
    const Entry& entry = entries()[i];
    const auto symbol = symbols_.find_or_add(entry.name());
    if (!symbol || entry.channel >= kChannels) continue;
    if (feeds_.size() <= *symbol * kChannels) feeds_.resize((*symbol + 1) * kChannels, kUnknown);
    feeds_[*symbol * kChannels + entry.channel] = static_cast<Feed>(i);
  }
}

std::optional<SequenceLog::Feed> SequenceLog::add(EventType channel, std::string_view symbol,
                                                  std::uint64_t base) {
  Header& head = header();
  const std::uint64_t at = head.feed_count;
  const std::size_t begin = entries_begin(head.capacity);
  const bool has_room =
      at < head.feeds_max && symbol.size() <= sizeof(Entry::symbol) &&
      (at % kRoomEntries != 0 ||
       posix_fallocate(fd_, static_cast<off_t>(begin + at * sizeof(Entry)),
                       static_cast<off_t>(std::min<std::uint64_t>(kRoomEntries, head.feeds_max - at) *
                                          sizeof(Entry))) == 0);
  if (!has_room) return head.is_overfull = 1, std::nullopt;
  Entry& entry = entries()[at];
  entry = Entry{};
  entry.base = base;
  entry.channel = static_cast<std::uint8_t>(channel);
  entry.symbol_chars = static_cast<std::uint8_t>(symbol.size());
  std::copy(symbol.begin(), symbol.end(), std::begin(entry.symbol));
  in_this_order();
  head.feed_count = at + 1;
  return static_cast<Feed>(at);
}

SequenceLog::Feed SequenceLog::feed(EventType channel, std::string_view symbol) {
  if (channel == EventType::Feed) return kUncounted;
  if (last_symbol_ >= symbols_.size() || symbols_.name(last_symbol_) != symbol) {
    const auto found = symbols_.find_or_add(symbol);
    if (!found) return kOther;
    last_symbol_ = *found;
  }
  const std::size_t at = last_symbol_ * kChannels + static_cast<std::size_t>(channel);
  if (feeds_.size() <= at) feeds_.resize((last_symbol_ + 1) * kChannels, kUnknown);
  if (feeds_[at] == kUnknown) feeds_[at] = add(channel, symbol, 0).value_or(kOther);
  return feeds_[at];
}

void SequenceLog::note(Feed feed) {
  Header& head = header();
  Entry& entry = entries()[feed];
  const std::uint64_t seq = head.last_seq + 1;
  head.pending_feed = feed;
  head.hand_numbered = entry.numbered + 1;
  in_this_order();
  head.pending_seq = seq;
  in_this_order();
  ring()[seq & mask_] = feed;
  entry.numbered = head.hand_numbered;
  in_this_order();
  head.last_seq = seq;
}

void SequenceLog::confirm(std::uint64_t seq) { header().confirmed = std::min(seq, last_seq()); }

void SequenceLog::forget(std::uint64_t first, std::uint64_t last) {
  const Header& head = header();
  const std::uint64_t oldest = head.last_seq >= head.capacity ? head.last_seq - head.capacity + 1 : 1;
  for (std::uint64_t seq = std::max(first, oldest); seq <= std::min(last, head.last_seq); ++seq)
    ring()[seq & mask_] = kUncounted;
}

void SequenceLog::complete() { header().is_complete = 1; }

std::uint64_t SequenceLog::epoch() const { return header().epoch; }
std::uint64_t SequenceLog::origin() const { return header().origin; }
std::string SequenceLog::exchange() const { return header().exchange; }
std::uint64_t SequenceLog::last_seq() const { return header().last_seq; }
std::uint64_t SequenceLog::confirmed() const { return header().confirmed; }
bool SequenceLog::is_complete() const { return header().is_complete != 0; }
bool SequenceLog::is_decided() const { return header().is_decided != 0; }

// Where not every feed had its own count, what is missing of which cannot be told.
void SequenceLog::tell_unnumbered(const Expected& expected, const Lost& lost) {
  if (header().is_overfull != 0) return;
  for (const auto& [name, now] : expected) {
    const Feed at = feed(name.first, name.second);
    if (at <= kOther) continue;
    Entry& entry = entries()[at];
    const std::uint64_t told = entry.base + entry.numbered;
    if (now <= told) continue;
    lost(name.first, name.second, now - told);
    entry.base += now - told;
  }
}

void SequenceLog::report_lost(std::uint64_t reached, const Lost& lost) {
  if (header().is_decided == 0) decide(reached);
  for (std::size_t i = 0; i < header().feed_count; ++i) {
    Entry& entry = entries()[i];
    if (entry.lost == 0) continue;
    const bool is_known = entry.channel < kChannels;
    lost(is_known ? std::optional(static_cast<EventType>(entry.channel)) : std::nullopt, entry.name(),
         entry.lost);
    entry.lost = 0;
  }
}

void SequenceLog::decide(std::uint64_t reached) {
  Header& head = header();
  for (std::size_t i = 0; i < head.feed_count; ++i) entries()[i].lost = 0;
  const std::uint64_t forgotten = head.last_seq > head.capacity ? head.last_seq - head.capacity : 0;
  if (forgotten > reached) entries()[kOther].lost = forgotten - reached;
  for (std::uint64_t seq = std::max(reached, forgotten) + 1; seq <= head.last_seq; ++seq) {
    const Feed feed = ring()[seq & mask_];
    if (feed != kUncounted) ++entries()[feed].lost;
  }
  in_this_order();
  head.is_decided = 1;
}

SequenceLog::SequenceLog(SequenceLog&& other) noexcept { *this = std::move(other); }

SequenceLog& SequenceLog::operator=(SequenceLog&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(memory_, other.memory_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(mask_, other.mask_);
  std::swap(symbols_, other.symbols_);
  std::swap(feeds_, other.feeds_);
  std::swap(last_symbol_, other.last_symbol_);
  return *this;
}

SequenceLog::~SequenceLog() {
  if (memory_ != nullptr) munmap(memory_, mapped_bytes_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace mdpipe::reader
