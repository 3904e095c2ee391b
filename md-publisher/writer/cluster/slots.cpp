#include "md-publisher/writer/cluster/slots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mdpipe::publisher {
namespace {

// CRC-16/XMODEM: polynomial 0x1021, from 0.
constexpr std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    table.at(byte) = static_cast<std::uint16_t>(crc & 0xFFFFU);
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size();
}

// The next word of a line, taken off its front.
std::string_view take_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

// "127.0.0.1:7001", "::1:7001": the last colon is the port's.
HostPort parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

// Behind the first comma, if a node announces one; what follows is none ("shard-id=...").
std::string_view host_name(std::string_view address) {
  const std::size_t comma = address.find(',');
  if (comma == std::string_view::npos) return {};
  const std::string_view name = address.substr(comma + 1);
  return name.substr(0, name.find(','));
}

bool has_flag(std::string_view flags, std::string_view flag) {
  while (!flags.empty()) {
    const std::size_t comma = std::min(flags.find(','), flags.size());
    if (flags.substr(0, comma) == flag) return true;
    flags.remove_prefix(std::min(comma + 1, flags.size()));
  }
  return false;
}

}  // namespace

std::string_view hash_tag(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const std::size_t close = key.find('}', open + 1);
  return close == std::string_view::npos || close == open + 1 ? key : key.substr(open + 1, close - open - 1);
}

std::uint16_t slot_of(std::string_view key) {
  unsigned crc = 0;
  for (const char c : hash_tag(key)) {
    const unsigned index = ((crc >> 8U) ^ static_cast<unsigned char>(c)) & 0xFFU;
    crc = ((crc << 8U) ^ kCrcTable.at(index)) & 0xFFFFU;
  }
  return static_cast<std::uint16_t>(crc % kSlots);
}

std::string cursor_key_beside(std::string_view cursor_key, std::string_view key) {
  const std::uint16_t slot = slot_of(key);
  std::string beside = fmt::format("{}:{{{}}}", cursor_key, hash_tag(key));
  // A name with a stray brace cannot be a tag; a number of the same slot can.
  for (unsigned number = 0; slot_of(beside) != slot; ++number)
    beside = fmt::format("{}:{{{}}}:{}", cursor_key, number, key);
  return beside;
}

std::optional<Redirect> parse_redirect(std::string_view error) {
  Redirect redirect;
  const std::string_view word = take_word(error);
  redirect.is_ask = word == "ASK";
  if (!redirect.is_ask && word != "MOVED") return std::nullopt;
  if (!parse_number(take_word(error), redirect.slot) || redirect.slot >= kSlots) return std::nullopt;
  redirect.to = parse_endpoint(take_word(error));
  if (redirect.to.port.empty()) return std::nullopt;
  return redirect;
}

// A line of CLUSTER NODES: id address@bus[,name] flags master ping pong epoch link slots...
bool SlotMap::read(std::string_view nodes, const HostPort& asked) {
  owners_.fill(0);
  nodes_.clear();
  others_.clear();
  bool any = false;
  while (!nodes.empty()) {
    const std::size_t end = std::min(nodes.find('\n'), nodes.size());
    std::string_view line = nodes.substr(0, end);
    nodes.remove_prefix(std::min(end + 1, nodes.size()));
    take_word(line);
    const std::string_view address = take_word(line);
    HostPort node = parse_endpoint(address.substr(0, address.find('@')));
    const std::string_view flags = take_word(line);
    if (has_flag(flags, "fail") || has_flag(flags, "noaddr") || has_flag(flags, "handshake")) continue;
    if (node.host.empty()) node.host = asked.host;
    HostPort name{std::string(host_name(address)), node.port};
    if (prefer_ == Prefer::Name && !name.host.empty()) std::swap(node, name);
    const std::uint16_t number = number_of(node, name);
    for (int skipped = 0; skipped < 5; ++skipped) take_word(line);
    if (!has_flag(flags, "master")) continue;
    while (!line.empty()) {
      const std::string_view range = take_word(line);
      const std::size_t dash = range.find('-');
      std::size_t first = 0, last = 0;
      if (!parse_number(range.substr(0, dash), first)) continue;  // "[93-<-id]": a slot on its way
      last = first;
      if (dash != std::string_view::npos && !parse_number(range.substr(dash + 1), last)) continue;
      if (last >= kSlots) continue;
      for (std::size_t slot = first; slot <= last; ++slot) owners_.at(slot) = number;
      any = true;
    }
  }
  return any;
}

const HostPort* SlotMap::owner(std::uint16_t slot) const {
  const std::uint16_t number = owners_.at(slot);
  return number == 0 ? nullptr : &nodes_[number - 1U];
}

HostPort SlotMap::known_as(const HostPort& node) const {
  const std::uint16_t number = find(node);
  return number == 0 ? node : nodes_[number - 1U];
}

bool SlotMap::has_slots(const HostPort& node) const {
  const std::uint16_t number = find(node);
  return number != 0 && std::find(owners_.begin(), owners_.end(), number) != owners_.end();
}

std::vector<HostPort> SlotMap::masters() const {
  std::vector<bool> is_master(nodes_.size() + 1);
  for (const std::uint16_t number : owners_) is_master[number] = true;
  std::vector<HostPort> masters;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (is_master[i + 1]) masters.push_back(nodes_[i]);
  }
  return masters;
}

// 0 if it is not known.
std::uint16_t SlotMap::find(const HostPort& node) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i] == node || others_[i] == node) return static_cast<std::uint16_t>(i + 1);
  }
  return 0;
}

std::uint16_t SlotMap::number_of(const HostPort& node, const HostPort& other) {
  if (const std::uint16_t known = find(node); known != 0) return known;
  nodes_.push_back(node);
  others_.push_back(other);
  return static_cast<std::uint16_t>(nodes_.size());
}

}  // namespace mdpipe::publisher
