#pragma once
// Numbers for strings: 0, 1, 2, ... in the order of first sight, found again without an allocation. For the
// few names that come with every event (symbols, streams), so that everything about them can stand in flat
// arrays.
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe {

class StringIndex {
 public:
  // At most `count_max` names; further ones get nothing.
  explicit StringIndex(std::size_t count_max) : count_max_(count_max), slots_(kFirstSlots) {}

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const {
    const Slot& slot = slots_[probe(slots_, name, std::hash<std::string_view>{}(name))];
    if (slot.id == kFree) return std::nullopt;
    return slot.id;
  }

  std::optional<std::uint32_t> find_or_add(std::string_view name) {
    const std::size_t hash = std::hash<std::string_view>{}(name);
    Slot& slot = slots_[probe(slots_, name, hash)];
    if (slot.id != kFree) return slot.id;
    if (names_.size() >= count_max_) return std::nullopt;
    const auto id = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back(name);
    slot = {hash, id};
    if (names_.size() * 2 > slots_.size()) grow();
    return id;
  }

  [[nodiscard]] const std::string& name(std::uint32_t id) const { return names_[id]; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  static constexpr std::size_t kFirstSlots = 64;  // a power of two, as every later size
  struct Slot {
    std::size_t hash = 0;
    std::uint32_t id = kFree;
  };

  // Linear probing: the slot of the name, or the free one where it belongs. At most half of the slots are
  // taken.
  [[nodiscard]] std::size_t probe(const std::vector<Slot>& slots, std::string_view name,
                                  std::size_t hash) const {
    std::size_t at = hash & (slots.size() - 1);
    while (slots[at].id != kFree && (slots[at].hash != hash || names_[slots[at].id] != name)) {
      at = (at + 1) & (slots.size() - 1);
    }
    return at;
  }

  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.id != kFree) larger[probe(larger, names_[slot.id], slot.hash)] = slot;
    }
    slots_ = std::move(larger);
  }

  std::size_t count_max_;
  std::vector<Slot> slots_;
  std::deque<std::string> names_;  // a deque, so that a name stays where it is
};

}  // namespace mdpipe
