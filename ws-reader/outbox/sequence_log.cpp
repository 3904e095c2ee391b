#include "ws-reader/outbox/sequence_log.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <limits>

#include "libshared/log/log.hpp"
#include "libshared/metrics/persistent_memory.hpp"

namespace mdpipe::reader {

using metrics::in_this_order;

namespace {

constexpr std::uint8_t kNoChannel = 0xFF;
constexpr std::size_t kChannels = std::size(kMarketTypes);
constexpr SequenceLog::FeedId kUnassigned = std::numeric_limits<SequenceLog::FeedId>::max();

void set_aside(const std::string& path, const char* why) {
  const std::string aside = path + ".unusable";
  const bool moved = std::rename(path.c_str(), aside.c_str()) == 0;
  log::warn("cannot read the in-flight file of the previous run: events that it lost will not be counted",
            {{"file", path}, {"moved_to", moved ? aside : ""}, {"why", why}});
}

}  // namespace

SequenceLog::SequenceLog(InFlightFile&& file) : file_(std::move(file)), symbols_(file_.header().feeds_max) {}

Result<SequenceLog> SequenceLog::create(const SequenceLogOptions& options, std::uint64_t epoch,
                                        std::uint64_t origin, const Expected& expected) {
  auto made = InFlightFile::create(options, epoch, origin);
  if (!made) return made.error();
  SequenceLog log(std::move(made.value()));
  for (const FeedId reserved : {kUncounted, kOther}) {
    if (log.add(kNoChannel, {}, 0) != reserved)
      return Error{ErrorKind::Unavailable, "cannot allocate disk space for '" + options.path + "'"};
  }
  for (const auto& [name, count] : expected)
    log.add(static_cast<std::uint8_t>(name.first), name.second, count);
  log.index_feeds();
  log.file_.publish();
  return Result<SequenceLog>(std::move(log));
}

std::optional<SequenceLog> SequenceLog::load(const SequenceLogOptions& options) {
  const char* why_unusable = nullptr;
  if (auto file = InFlightFile::open(options, why_unusable)) {
    SequenceLog log(std::move(*file));
    if (log.finish_pending_note() && log.counts_add_up()) {
      log.index_feeds();
      return std::optional<SequenceLog>(std::move(log));
    }
    why_unusable = "its counts do not add up";
  }
  if (why_unusable != nullptr) set_aside(options.path, why_unusable);
  return std::nullopt;
}

// A kill may have stopped note() between any two of its writes.
bool SequenceLog::finish_pending_note() {
  InFlightFile::Header& header = file_.header();
  if (header.pending_seq != header.last_seq + 1) return true;
  if (header.pending_feed >= header.feed_count) return false;
  file_.feed_of(header.pending_seq) = static_cast<FeedId>(header.pending_feed);
  file_.feed(header.pending_feed).numbered = header.pending_numbered;
  in_this_order();
  header.last_seq = header.pending_seq;
  return true;
}

bool SequenceLog::counts_add_up() const {
  const InFlightFile::Header& header = file_.header();
  if (header.feed_count <= kOther || header.confirmed > header.last_seq) return false;
  std::uint64_t numbered = 0;
  for (std::size_t i = 0; i < header.feed_count; ++i) numbered += file_.feed(i).numbered;
  const std::uint64_t in_ring = std::min<std::uint64_t>(header.last_seq, header.capacity);
  for (std::uint64_t i = 0; i < in_ring; ++i) {
    if (file_.feed_of(header.last_seq - i) >= header.feed_count) return false;
  }
  return numbered == header.last_seq;
}

void SequenceLog::index_feeds() {
  for (std::size_t i = kOther + 1; i < file_.header().feed_count; ++i) {
    const InFlightFile::Feed& feed = file_.feed(i);
    if (feed.channel >= kChannels) continue;
    FeedId* id = find_id(static_cast<EventType>(feed.channel), feed.name());
    if (id != nullptr) *id = static_cast<FeedId>(i);
  }
}

// Where the feed's id is kept; null if there are too many symbols.
SequenceLog::FeedId* SequenceLog::find_id(EventType channel, std::string_view symbol) {
  if (last_symbol_ >= symbols_.size() || symbols_.name(last_symbol_) != symbol) {
    const auto found = symbols_.find_or_add(symbol);
    if (!found) return nullptr;
    last_symbol_ = *found;
  }
  const std::size_t at = last_symbol_ * kChannels + static_cast<std::size_t>(channel);
  if (ids_.size() <= at) ids_.resize((last_symbol_ + 1) * kChannels, kUnassigned);
  return &ids_[at];
}

std::optional<SequenceLog::FeedId> SequenceLog::add(std::uint8_t channel, std::string_view symbol,
                                                    std::uint64_t base) {
  InFlightFile::Header& header = file_.header();
  if (symbol.size() > sizeof(InFlightFile::Feed::symbol) || !file_.allocate_feed()) {
    header.is_overfull = 1;
    return std::nullopt;
  }
  const std::uint64_t at = header.feed_count;
  InFlightFile::Feed& feed = file_.feed(at);
  feed = {};
  feed.base = base;
  feed.channel = channel;
  feed.symbol_chars = static_cast<std::uint8_t>(symbol.size());
  std::copy(symbol.begin(), symbol.end(), std::begin(feed.symbol));
  in_this_order();
  header.feed_count = at + 1;
  return static_cast<FeedId>(at);
}

SequenceLog::FeedId SequenceLog::feed(EventType channel, std::string_view symbol) {
  if (channel == EventType::Feed) return kUncounted;
  FeedId* id = find_id(channel, symbol);
  if (id == nullptr) return kOther;
  if (*id == kUnassigned) *id = add(static_cast<std::uint8_t>(channel), symbol, 0).value_or(kOther);
  return *id;
}

void SequenceLog::note(FeedId id) {
  InFlightFile::Header& header = file_.header();
  InFlightFile::Feed& feed = file_.feed(id);
  const std::uint64_t seq = header.last_seq + 1;
  header.pending_feed = id;
  header.pending_numbered = feed.numbered + 1;
  in_this_order();
  header.pending_seq = seq;
  in_this_order();
  file_.feed_of(seq) = id;
  feed.numbered = header.pending_numbered;
  in_this_order();
  header.last_seq = seq;
}

void SequenceLog::confirm(std::uint64_t seq) { file_.header().confirmed = std::min(seq, last_seq()); }

void SequenceLog::forget(std::uint64_t first, std::uint64_t last) {
  const InFlightFile::Header& header = file_.header();
  const std::uint64_t oldest = header.last_seq >= header.capacity ? header.last_seq - header.capacity + 1 : 1;
  for (std::uint64_t seq = std::max(first, oldest); seq <= std::min(last, header.last_seq); ++seq)
    file_.feed_of(seq) = kUncounted;
}

void SequenceLog::mark_complete() { file_.header().is_complete = 1; }

std::uint64_t SequenceLog::epoch() const { return file_.header().epoch; }
std::uint64_t SequenceLog::origin() const { return file_.header().origin; }
std::string SequenceLog::exchange() const { return file_.header().exchange; }
std::uint64_t SequenceLog::last_seq() const { return file_.header().last_seq; }
std::uint64_t SequenceLog::confirmed() const { return file_.header().confirmed; }
bool SequenceLog::is_complete() const { return file_.header().is_complete != 0; }
bool SequenceLog::has_counted_lost() const { return file_.header().has_counted_lost != 0; }

// If a feed shares the count of kOther, it is not known which events of it are missing.
void SequenceLog::report_unnumbered(const Expected& expected, const LossCallback& report) {
  if (file_.header().is_overfull != 0) return;
  for (const auto& [name, count] : expected) {
    const FeedId id = feed(name.first, name.second);
    if (id <= kOther) continue;
    InFlightFile::Feed& entry = file_.feed(id);
    const std::uint64_t accounted = entry.base + entry.numbered;
    if (count <= accounted) continue;
    report(name.first, name.second, count - accounted);
    entry.base += count - accounted;
  }
}

void SequenceLog::report_lost(std::uint64_t last_in_redis, const LossCallback& report) {
  if (!has_counted_lost()) count_lost(last_in_redis);
  for (std::size_t i = 0; i < file_.header().feed_count; ++i) {
    InFlightFile::Feed& feed = file_.feed(i);
    if (feed.lost == 0) continue;
    const bool is_known = feed.channel < kChannels;
    report(is_known ? std::optional(static_cast<EventType>(feed.channel)) : std::nullopt, feed.name(),
           feed.lost);
    feed.lost = 0;
  }
}

void SequenceLog::count_lost(std::uint64_t last_in_redis) {
  InFlightFile::Header& header = file_.header();
  for (std::size_t i = 0; i < header.feed_count; ++i) file_.feed(i).lost = 0;
  // The ring holds the feeds of the latest events only.
  const std::uint64_t forgotten = header.last_seq > header.capacity ? header.last_seq - header.capacity : 0;
  if (forgotten > last_in_redis) file_.feed(kOther).lost = forgotten - last_in_redis;
  for (std::uint64_t seq = std::max(last_in_redis, forgotten) + 1; seq <= header.last_seq; ++seq) {
    const FeedId id = file_.feed_of(seq);
    if (id != kUncounted) ++file_.feed(id).lost;
  }
  in_this_order();
  header.has_counted_lost = 1;
}

}  // namespace mdpipe::reader
