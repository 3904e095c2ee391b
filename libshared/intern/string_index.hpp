#pragma once
// Numbers for strings: 0, 1, 2, ... in the order in which they were first seen. Finding a number allocates
// nothing. For the few names that come with every event (symbols, streams): everything about a name is then
// in flat arrays.
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe {

// Eight bytes a step, inlined: ws-reader looks up a symbol four times for each event.
inline std::uint64_t hash_name(std::string_view name) {
  const auto load = [](const char* from, std::size_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, from, bytes);
    return value;
  };
  const auto mix = [](std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15U;  // 2^64 divided by the golden ratio
    return hash ^ (hash >> 32U);
  };
  const char* at = name.data();
  const char* const end = at + name.size();
  std::uint64_t hash = name.size();
  for (; end - at > 8; at += 8) hash = mix(hash, load(at, 8));
  if (name.size() >= 8) return mix(hash, load(end - 8, 8));  // the steps may overlap
  if (name.size() >= 4) return mix(hash, load(at, 4) | (load(end - 4, 4) << 32U));
  for (; at != end; ++at) hash = mix(hash, static_cast<unsigned char>(*at));
  return hash;
}

class StringIndex {
 public:
  // At most `count_max` names; more names get no number.
  explicit StringIndex(std::size_t count_max) : count_max_(count_max), slots_(kFirstSlots) {}

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const {
    const Slot& slot = slots_[probe(slots_, name, hash_name(name))];
    if (slot.name == nullptr) return std::nullopt;
    return slot.id;
  }

  std::optional<std::uint32_t> find_or_add(std::string_view name) {
    const std::uint64_t hash = hash_name(name);
    Slot& slot = slots_[probe(slots_, name, hash)];
    if (slot.name != nullptr) return slot.id;
    if (names_.size() >= count_max_) return std::nullopt;
    const auto id = static_cast<std::uint32_t>(names_.size());
    slot = {hash, &names_.emplace_back(name), id};
    if (names_.size() * 2 > slots_.size()) grow();
    return id;
  }

  [[nodiscard]] const std::string& name(std::uint32_t id) const { return names_[id]; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  static constexpr std::size_t kFirstSlots = 64;  // a power of two, like every later size
  struct Slot {
    std::uint64_t hash = 0;
    const std::string* name = nullptr;  // in names_; null if the slot is free
    std::uint32_t id = 0;
  };

  // Linear probing: the slot of the name, or the free slot where it belongs. At most half of the slots are
  // used.
  static std::size_t probe(const std::vector<Slot>& slots, std::string_view name, std::uint64_t hash) {
    std::size_t at = hash & (slots.size() - 1);
    while (slots[at].name != nullptr && (slots[at].hash != hash || *slots[at].name != name)) {
      at = (at + 1) & (slots.size() - 1);
    }
    return at;
  }

  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.name != nullptr) larger[probe(larger, *slot.name, slot.hash)] = slot;
    }
    slots_ = std::move(larger);
  }

  std::size_t count_max_;
  std::vector<Slot> slots_;
  std::deque<std::string> names_;  // a deque, so that a name never moves
};

}  // namespace mdpipe
