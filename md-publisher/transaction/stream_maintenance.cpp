#include "md-publisher/transaction/stream_maintenance.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

constexpr auto kMemoryInterval = std::chrono::seconds(5);
// Streams that one round handles; each takes Redis some microseconds.
constexpr std::size_t kStreamsPerRound = 500;
// At the limit, streams are trimmed to a little less, so that not every new entry causes a trim.
constexpr double kCutTo = 0.95;
// Redis trims whole nodes. If a round asks every stream for less than a node and trims nothing, the next
// round asks for more, at most kFruitlessMax times: by then a stream of two nodes has lost one, and smaller
// streams have none to lose.
constexpr double kCutFurther = 0.85;
constexpr unsigned kFruitlessMax = 5;

constexpr const char* kCommands[] = {"INFO", "XTRIM", "XTRIM", "MEMORY USAGE"};  // by Kind

std::string_view value_of(std::string_view info, std::string_view name) {
  const std::size_t at = info.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = info.substr(at + name.size());
  return rest.substr(0, rest.find('\r'));
}

std::optional<std::uint64_t> number_of(std::string_view info, std::string_view name) {
  const std::string_view text = value_of(info, name);
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr == text.data()) return std::nullopt;
  return number;
}

double part_used(const RedisMemory& memory) {
  return memory.max == 0 ? 0 : static_cast<double>(memory.used) / static_cast<double>(memory.max);
}

}  // namespace

std::optional<RedisMemory> parse_memory(std::string_view info) {
  const auto used = number_of(info, "\nused_memory:");
  const auto max = number_of(info, "\nmaxmemory:");
  if (!used || !max) return std::nullopt;
  const bool evicts = value_of(info, "\nmaxmemory_policy:").substr(0, 8) == "allkeys-";
  RedisMemory memory;
  memory.used = *used;
  memory.max = *max;
  memory.evicts = evicts;
  return memory;
}

void StreamMaintenance::touch(const Transaction& transaction) {
  for (const auto& touched : transaction.touched()) {
    const std::uint32_t id = touched.key->id;
    if (id >= places_.size()) places_.resize(id + 1);
    if (places_[id] == 0) {
      tracked_.push_back({touched.key, 0, true});
      places_[id] = tracked_.size();
    }
    tracked_[places_[id] - 1].grown = true;
  }
}

template <typename... Words>
void StreamMaintenance::ask(Asked asked, const Words&... words) {
  resp::append_command(commands_, words...);
  asked.end = commands_.size();
  asked_.push_back(asked);
}

bool StreamMaintenance::prepare(SteadyTime now, UnixNanos wall, std::size_t servers) {
  commands_.clear();
  asked_.clear();
  answered_ = 0;
  was_cut_ = has_given_ = false;
  report_ = Report();
  if (may(Kind::Memory) && (!memory_asked_at_ || now - *memory_asked_at_ >= kMemoryInterval)) {
    memory_asked_at_ = now;
    for (std::size_t i = 0; i < servers; ++i) ask({Kind::Memory, 0}, "INFO", "memory");
  }
  ask_of_streams(wall);
  return !asked_.empty();
}

// Every stream is trimmed by the same share of what it holds.
void StreamMaintenance::ask_of_streams(UnixNanos wall) {
  const bool too_many = stream_bytes_max_ > 0 && total_bytes_ > stream_bytes_max_;
  const double keep = too_many
                          ? kCutTo * std::pow(kCutFurther, fruitless_) *
                                static_cast<double>(stream_bytes_max_) / static_cast<double>(total_bytes_)
                          : 1;
  if (!too_many) fruitless_ = 0;
  for (std::size_t i = 0; i < std::min(kStreamsPerRound, tracked_.size()); ++i) {
    const std::size_t place = next_++ % tracked_.size();
    const TrackedStream& stream = tracked_[place];
    const std::string& name = stream.key->name;
    if (stream.key->maxage.count() > 0 && may(Kind::TrimAge)) {
      const auto oldest = wall.count / 1'000'000 - stream.key->maxage.count();
      ask({Kind::TrimAge, place}, "XTRIM", name, "MINID", "~", std::to_string(oldest));
    }
    if (too_many && stream.bytes > 0 && may(Kind::TrimBytes)) {
      const auto entries = std::llround(keep * static_cast<double>(lengths_.length(*stream.key)));
      ask({Kind::TrimBytes, place}, "XTRIM", name, "MAXLEN", "~", std::to_string(entries));
    }
    if (stream_bytes_max_ > 0 && (stream.grown || too_many) && may(Kind::Size))
      ask({Kind::Size, place}, "MEMORY", "USAGE", name);
  }
}

std::string_view StreamMaintenance::command(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : asked_[index - 1].end;
  return std::string_view(commands_).substr(begin, asked_[index].end - begin);
}

const RedisKey* StreamMaintenance::key(std::size_t index) const {
  const Asked& asked = asked_[index];
  return asked.kind == Kind::Memory ? nullptr : tracked_[asked.tracked].key;
}

bool StreamMaintenance::on_reply(std::size_t index, const Reply& reply, std::string_view node) {
  const Asked asked = asked_[index];
  if (asked.kind == Kind::Memory) {
    on_memory(reply, node);
    return is_last();
  }
  TrackedStream& stream = tracked_[asked.tracked];
  const auto number = reply.type == Reply::Type::Integer ? static_cast<std::uint64_t>(reply.integer) : 0;
  if (reply.is_error()) {
    on_refused(asked.kind, reply, stream.key->name);
  } else if (asked.kind == Kind::Size) {
    total_bytes_ += number - std::exchange(stream.bytes, number);
    stream.grown = false;
  } else {
    lengths_.on_trimmed(*stream.key, number);
    was_cut_ = was_cut_ || asked.kind == Kind::TrimBytes;
    has_given_ = has_given_ || (asked.kind == Kind::TrimBytes && number > 0);
    report_.trimmed += number;
  }
  return is_last();
}

bool StreamMaintenance::on_unheard(std::size_t index) {
  const Asked& asked = asked_[index];
  if (asked.kind != Kind::Memory) lengths_.forget(*tracked_[asked.tracked].key);
  return is_last();
}

bool StreamMaintenance::is_last() {
  if (++answered_ < asked_.size()) return false;
  // A command that failed or was not answered does not show how much can be trimmed.
  if (was_cut_) fruitless_ = has_given_ ? 0 : std::min(fruitless_ + 1, kFruitlessMax);
  if (stream_bytes_max_ > 0 && may(Kind::Size)) report_.stream_bytes = total_bytes_;
  return true;
}

void StreamMaintenance::on_memory(const Reply& reply, std::string_view node) {
  if (reply.is_error()) return on_refused(Kind::Memory, reply, {});
  auto memory = parse_memory(reply.text);
  if (!memory) return;
  memory->node = node;
  auto& fullest = report_.memory;
  const bool evicts = memory->evicts || (fullest && fullest->evicts);
  if (!fullest || part_used(*memory) > part_used(*fullest)) fullest = std::move(memory);
  fullest->evicts = evicts;
}

// Reports only a missing right here: every other error shows up in a transaction too.
void StreamMaintenance::on_refused(Kind kind, const Reply& reply, const std::string& key) {
  if (classify(reply.text) != RedisErrorKind::NoPerm) return;
  const auto index = static_cast<std::size_t>(kind);
  forbidden_.at(index) = true;
  if (std::exchange(said_.at(index), true) || report_.refused) return;
  report_.refused = redis_error(RedisErrorKind::NoPerm, reply.text, {kCommands[index], key});
}

void StreamMaintenance::start_over() {
  forbidden_ = {};
  memory_asked_at_.reset();
}

}  // namespace mdpipe::publisher
