#pragma once
// The file of the SequenceLog, mapped into memory: what is written to it survives kill -9 without a system
// call. Makes, checks and maps the file; SequenceLog knows what its contents mean.
//
//   header   one page
//   ring     the feed of event n is at n modulo `capacity`
//   feeds    64 bytes each, in the order in which they were added
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::reader {

struct SequenceLogOptions {
  std::string path;
  std::string boot_id;  // of the running kernel; a file of another boot is of no use
  std::string source;
  std::string exchange;
  std::uint32_t capacity = 64U << 10U;  // the latest events whose feed is remembered, a power of two
  std::uint32_t feeds_max = 8U << 10U;  // 64 bytes each, allocated as they are needed
};

class InFlightFile {
 public:
  using FeedId = std::uint16_t;

  struct Header {
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
    // The note being made. If pending_seq is the number after last_seq, the reader was killed during the
    // note, and the next run finishes it.
    std::uint64_t pending_seq;
    std::uint64_t pending_numbered;
    std::uint32_t pending_feed;
    std::uint32_t is_overfull;  // a feed could not be added
    std::uint32_t is_complete;
    std::uint32_t has_counted_lost;

    [[nodiscard]] std::uint32_t checksum_of_fixed() const;
  };

  struct Feed {
    std::uint64_t base;      // events expected before this run
    std::uint64_t numbered;  // in this run
    std::uint64_t lost;      // counted and not reported yet
    std::uint8_t channel;
    std::uint8_t symbol_chars;
    char symbol[38];

    [[nodiscard]] std::string_view name() const;
  };

  // A new file in place of any other. It is unusable for open() until publish() was called.
  static Result<InFlightFile> create(const SequenceLogOptions& options, std::uint64_t epoch,
                                     std::uint64_t origin);
  // Call once the contents are ready.
  void publish();

  // Nothing if there is no file, if it is of another boot, or if it is unusable: then `why_unusable` is set.
  static std::optional<InFlightFile> open(const SequenceLogOptions& options, const char*& why_unusable);

  InFlightFile(InFlightFile&& other) noexcept;
  InFlightFile& operator=(InFlightFile&& other) noexcept;
  InFlightFile(const InFlightFile&) = delete;
  InFlightFile& operator=(const InFlightFile&) = delete;
  ~InFlightFile();  // the file stays

  [[nodiscard]] Header& header() const { return *reinterpret_cast<Header*>(memory_); }
  [[nodiscard]] FeedId& feed_of(std::uint64_t seq) const {
    return reinterpret_cast<FeedId*>(memory_ + kHeaderBytes)[seq & mask_];
  }
  [[nodiscard]] Feed& feed(std::uint64_t at) const { return feeds_[at]; }
  // Disk space for the feed number feed_count. False if there is none or `feeds_max` is reached.
  [[nodiscard]] bool allocate_feed() const;

 private:
  static constexpr std::size_t kHeaderBytes = 4096;

  InFlightFile() = default;
  static std::size_t feeds_begin(std::uint32_t capacity) { return kHeaderBytes + capacity * sizeof(FeedId); }
  const char* check_and_map(const SequenceLogOptions& options, bool& is_stale);
  bool map(std::uint32_t capacity, std::uint32_t feeds_max);

  int fd_ = -1;
  char* memory_ = nullptr;
  Feed* feeds_ = nullptr;  // inside of memory_
  std::size_t mapped_bytes_ = 0;
  std::uint64_t mask_ = 0;
};

}  // namespace mdpipe::reader
