#include "libshared/metrics/counter_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/metrics/persistent_memory.hpp"
#include "libshared/text/ascii.hpp"

namespace mdpipe::metrics {
namespace {

// The file: a page with the header, then totals, entries of the pending counts, and histograms. All of it is
// mapped, and its disk space is allocated in advance, so that a full disk is an error here and not a SIGBUS
// later; histograms are allocated one by one as they are added. Then the names in the order in which they
// were added, each after its length, crc32 and kind; they are written and never mapped.
constexpr std::string_view kMagic = "mdpipe counters";
constexpr std::uint32_t kFormatVersion = 2;  // 2: with histograms
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kNameBytesMax = 2048;
constexpr std::size_t kNamesBytesMax = 64U << 20U;
constexpr char kSeparator = '\0';
constexpr char kCounter = 'c', kHistogram = 'h';

std::uint32_t checksum(const void* bytes, std::size_t count) {
  return static_cast<std::uint32_t>(crc32(0, static_cast<const Bytef*>(bytes), static_cast<uInt>(count)));
}

Error unavailable(std::string message) { return Error{ErrorKind::Unavailable, std::move(message)}; }

Error failed(std::string_view action, const std::string& path) {
  return unavailable(fmt::format("cannot {} '{}': {}", action, path, std::strerror(errno)));
}

bool read_fully(int fd, void* bytes, std::size_t count, off_t offset) {
  return pread(fd, bytes, count, offset) == static_cast<ssize_t>(count);
}

}  // namespace

struct CounterFile::Header {
  char magic[16];
  // Fixed when the file is created, and covered by the checksum.
  std::uint32_t version;
  std::uint32_t counters_max;
  std::uint32_t pending_max;
  std::uint32_t histograms_max;
  std::uint32_t fixed_checksum;
  char boot_id[64];
  char component[64];
  char source[256];
  // What changes.
  std::uint64_t origin;
  std::uint64_t counter_count;
  std::uint64_t histogram_count;
  std::uint64_t names_bytes;
  PendingRegion::Head pending;

  [[nodiscard]] std::uint32_t checksum_of_fixed() const {
    Header fixed = *this;
    fixed.fixed_checksum = 0;
    return checksum(&fixed, offsetof(Header, origin));
  }
  [[nodiscard]] std::size_t histograms_begin() const {
    return kHeaderBytes + counters_max * sizeof(std::uint64_t) + pending_max * sizeof(PendingRegion::Entry);
  }
  [[nodiscard]] std::size_t mapped_bytes() const {
    return histograms_begin() + histograms_max * sizeof(PersistentHistogram);
  }
};

Result<CounterFile> CounterFile::open(const CounterFileOptions& options, std::uint64_t new_origin) {
  static_assert(sizeof(Header) <= kHeaderBytes);
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(options.path).parent_path(), ec);
  CounterFile file;
  if (const auto locked = file.lock(options.path); !locked) return locked.error();
  std::string why;
  const Found found = file.examine(options, why);
  if (found == Found::Usable) return Result<CounterFile>(std::move(file));
  if (found == Found::Unusable) {
    const std::string aside = options.path + ".unusable";
    if (rename(options.path.c_str(), aside.c_str()) != 0) return failed("set aside", options.path);
    log::warn(
        "cannot use the counters of the previous run; their file was set aside and counting starts at 0",
        {{"file", options.path}, {"moved_to", aside}, {"why", why}});
    file = CounterFile();
    if (const auto locked = file.lock(options.path); !locked) return locked.error();
  }
  if (const auto created = file.create(options, new_origin); !created) return created.error();
  return Result<CounterFile>(std::move(file));
}

Result<bool> CounterFile::lock(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd_ < 0) return failed("open", path);
  if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) return failed("lock", path);
  return unavailable(fmt::format("'{}' is held by another process", path));
}

// A usable file stays mapped.
CounterFile::Found CounterFile::examine(const CounterFileOptions& options, std::string& why) {
  const auto unusable = [&why](const char* reason) { return why = reason, Found::Unusable; };
  struct stat status {};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return unusable("it is no file");
  if (status.st_size == 0) return Found::Fresh;
  Header on_disk{};
  if (!read_fully(fd_, &on_disk, sizeof on_disk, 0)) return unusable("it is cut short");
  if (on_disk.magic[0] == '\0') return Found::Fresh;  // its creator was killed before it was complete
  if (std::string_view(on_disk.magic, kMagic.size()) != kMagic) return unusable("it holds something else");
  if (on_disk.version != kFormatVersion) return unusable("it is of another version");
  if (on_disk.fixed_checksum != on_disk.checksum_of_fixed()) return unusable("its checksum is wrong");
  if (options.component != on_disk.component || options.source != on_disk.source)
    return unusable("it is another component's");
  if (options.boot_id != on_disk.boot_id || on_disk.pending_max != options.pending_max ||
      on_disk.histograms_max != options.histograms_max)
    return Found::Fresh;
  if (on_disk.counter_count > on_disk.counters_max || on_disk.histogram_count > on_disk.histograms_max ||
      on_disk.names_bytes > kNamesBytesMax)
    return unusable("its sizes are wrong");
  // Otherwise names of symbols that no longer exist would fill it forever.
  if (on_disk.counter_count > options.counters_max / 2) return Found::Fresh;
  if (static_cast<std::size_t>(status.st_size) < on_disk.mapped_bytes() + on_disk.names_bytes)
    return unusable("it is cut short");
  if (!map(on_disk.mapped_bytes()) || !preallocate(on_disk.histogram_count))
    return unusable(std::strerror(errno));
  if (!read_counters(why)) return Found::Unusable;
  return repair_histograms() ? Found::Usable : unusable("a histogram in it is damaged");
}

bool CounterFile::read_counters(std::string& why) {
  std::string names(header().names_bytes, '\0');
  if (!read_fully(fd_, names.data(), names.size(), static_cast<off_t>(mapped_bytes_))) {
    why = "its names cannot be read";
    return false;
  }
  const auto damaged = [&why] { return why = "a name in it is damaged", false; };
  std::string_view rest = names;
  std::uint64_t counters = 0;
  std::uint64_t histogram_count = 0;
  while (counters + histogram_count < header().counter_count + header().histogram_count) {
    std::uint32_t head[2] = {};  // length, checksum
    if (rest.size() >= sizeof head) std::memcpy(head, rest.data(), sizeof head);
    if (head[0] == 0 || rest.size() - sizeof head < head[0] ||
        checksum(rest.data() + sizeof head, head[0]) != head[1])
      return damaged();
    const char kind = rest[sizeof head];
    const auto parts = ascii::split(rest.substr(sizeof head + 1, head[0] - 1), kSeparator);
    rest.remove_prefix(sizeof head + head[0]);
    Counter& found = recovered_.emplace_back();
    found.name = parts.front();
    found.labels.assign(parts.begin() + 1, parts.end());
    if (kind == kCounter && counters < header().counter_count) {
      found.total = totals() + counters++;
    } else if (kind == kHistogram && histogram_count < header().histogram_count) {
      found.histogram = histograms() + histogram_count++;
    } else {
      return damaged();
    }
  }
  header().names_bytes -= rest.size();  // a name that a kill left without its count
  return true;
}

bool CounterFile::repair_histograms() {
  for (const Counter& found : recovered_) {
    if (found.histogram != nullptr && !found.histogram->repair()) return false;
  }
  return true;
}

Result<bool> CounterFile::create(const CounterFileOptions& options, std::uint64_t origin) {
  unmap();
  recovered_.clear();
  Header fixed{};
  fixed.version = kFormatVersion;
  fixed.counters_max = static_cast<std::uint32_t>(options.counters_max);
  fixed.pending_max = static_cast<std::uint32_t>(options.pending_max);
  fixed.histograms_max = static_cast<std::uint32_t>(options.histograms_max);
  if (!copy_text(options.boot_id, fixed.boot_id) || !copy_text(options.component, fixed.component) ||
      !copy_text(options.source, fixed.source))
    return unavailable("the names of component or source are too long for a file of counters");
  if (ftruncate(fd_, 0) != 0) return failed("empty", options.path);
  if (const int error = posix_fallocate(fd_, 0, static_cast<off_t>(fixed.histograms_begin())); error != 0) {
    errno = error;
    return failed("take room for", options.path);
  }
  if (ftruncate(fd_, static_cast<off_t>(fixed.mapped_bytes())) != 0) return failed("enlarge", options.path);
  if (!map(fixed.mapped_bytes())) return failed("map", options.path);
  fixed.fixed_checksum = 0;
  std::memcpy(fixed.magic, kMagic.data(), kMagic.size());
  fixed.fixed_checksum = fixed.checksum_of_fixed();
  fixed.origin = origin;
  // The magic is written last: if it is missing, the creator was killed here.
  std::memcpy(memory_ + sizeof fixed.magic, &fixed.version, sizeof fixed - sizeof fixed.magic);
  in_this_order();
  std::memcpy(memory_, fixed.magic, sizeof fixed.magic);
  return true;
}

bool CounterFile::map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<char*>(memory);
  mapped_bytes_ = bytes;
  return true;
}

void CounterFile::unmap() {
  if (memory_ != nullptr) munmap(memory_, mapped_bytes_);
  memory_ = nullptr;
  mapped_bytes_ = 0;
}

// Allocates disk space for this many histograms, so that writing to them raises no SIGBUS.
bool CounterFile::preallocate(std::uint64_t histograms) {
  if (histograms == 0) return true;
  const int error = posix_fallocate(fd_, static_cast<off_t>(header().histograms_begin()),
                                    static_cast<off_t>(histograms * sizeof(PersistentHistogram)));
  errno = error;
  return error == 0;
}

// A name is valid once the number of counters or histograms has grown.
bool CounterFile::append_name(char kind, std::string_view name,
                              std::initializer_list<std::string_view> labels) {
  Header& head = header();
  std::string text(1, kind);
  text += name;
  for (const std::string_view label : labels) (text += kSeparator) += label;
  if (text.size() > kNameBytesMax || head.names_bytes + text.size() > kNamesBytesMax) return false;
  const std::uint32_t front[2] = {static_cast<std::uint32_t>(text.size()),
                                  checksum(text.data(), text.size())};
  std::string record(sizeof front, '\0');
  std::memcpy(record.data(), front, sizeof front);
  record += text;
  const auto offset = static_cast<off_t>(mapped_bytes_ + head.names_bytes);
  if (pwrite(fd_, record.data(), record.size(), offset) != static_cast<ssize_t>(record.size())) return false;
  in_this_order();
  head.names_bytes += record.size();
  in_this_order();
  return true;
}

std::uint64_t* CounterFile::add(std::string_view name, std::initializer_list<std::string_view> labels) {
  Header& head = header();
  if (head.counter_count >= head.counters_max) return nullptr;
  std::uint64_t* total = totals() + head.counter_count;
  *total = 0;
  if (!append_name(kCounter, name, labels)) return nullptr;
  ++head.counter_count;
  return total;
}

PersistentHistogram* CounterFile::add_histogram(std::string_view name,
                                                std::initializer_list<std::string_view> labels) {
  Header& head = header();
  if (head.histogram_count >= head.histograms_max || !preallocate(head.histogram_count + 1)) return nullptr;
  PersistentHistogram* histogram = histograms() + head.histogram_count;
  *histogram = PersistentHistogram();
  if (!append_name(kHistogram, name, labels)) return nullptr;
  ++head.histogram_count;
  return histogram;
}

void CounterFile::restart(std::uint64_t origin) {
  std::fill_n(totals(), header().counter_count, 0);
  std::fill_n(histograms(), header().histogram_count, PersistentHistogram());
  header().origin = origin;
}

PendingRegion CounterFile::pending_region() {
  PendingRegion region;
  if (header().pending_max == 0) return region;
  region.head = &header().pending;
  region.entries = reinterpret_cast<PendingRegion::Entry*>(totals() + header().counters_max);
  region.entries_max = header().pending_max;
  region.totals = totals();
  region.totals_count = header().counters_max;
  return region;
}

std::uint64_t CounterFile::origin() const { return header().origin; }

CounterFile::Header& CounterFile::header() const { return *reinterpret_cast<Header*>(memory_); }

std::uint64_t* CounterFile::totals() const {
  return reinterpret_cast<std::uint64_t*>(memory_ + kHeaderBytes);
}

PersistentHistogram* CounterFile::histograms() const {
  return reinterpret_cast<PersistentHistogram*>(memory_ + header().histograms_begin());
}

CounterFile::CounterFile(CounterFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      memory_(std::exchange(other.memory_, nullptr)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      recovered_(std::move(other.recovered_)) {}

CounterFile& CounterFile::operator=(CounterFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(memory_, other.memory_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(recovered_, other.recovered_);
  return *this;
}

CounterFile::~CounterFile() {
  unmap();
  if (fd_ >= 0) close(fd_);
}

std::string counter_file_path(std::string_view folder, std::string_view component, std::string_view source) {
  constexpr std::string_view kUnreserved = "._-";
  return fmt::format("{}/counters-{}-{}", folder, ascii::percent_encoded(component, kUnreserved),
                     ascii::percent_encoded(source, kUnreserved));
}

}  // namespace mdpipe::metrics
