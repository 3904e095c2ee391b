#pragma once
// Which node of a Redis Cluster has which slot, and which slot a key is in. Pure.
// The rules: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (read 2026-11-25).
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "md-publisher/redis/redis_url.hpp"

namespace mdpipe::publisher {

inline constexpr std::size_t kSlots = 16'384;

// The part of a key that decides about its slot: what is in its first braces, or all of it.
std::string_view hash_tag(std::string_view key);
std::uint16_t slot_of(std::string_view key);

// The key of the cursors of all streams with the hash tag of `key`, in the same slot: "md:cursor:{md:trade}".
std::string cursor_key_beside(std::string_view cursor_key, std::string_view key);

// MOVED or ASK: where to go.
struct Redirect {
  bool is_ask = false;
  std::uint16_t slot = 0;
  HostPort to;  // an empty host: the one that was asked
};
std::optional<Redirect> parse_redirect(std::string_view error);

class SlotMap {
 public:
  // How a node is called if it announces a host name (cluster-announce-hostname) beside its address.
  enum class Prefer { Address, Name };
  explicit SlotMap(Prefer prefer = Prefer::Address) : prefer_(prefer) {}

  // From CLUSTER NODES; `asked` stands for a node that does not know its own address. False if no master
  // has a slot in it.
  bool read(std::string_view nodes, const HostPort& asked);
  void move(std::uint16_t slot, const HostPort& to) { owners_.at(slot) = number_of(to); }

  // The node of this address or name, as it is called here.
  [[nodiscard]] HostPort known_as(const HostPort& node) const;
  [[nodiscard]] const HostPort* owner(std::uint16_t slot) const;
  [[nodiscard]] bool has_slots(const HostPort& node) const;
  // Those that have slots.
  [[nodiscard]] std::vector<HostPort> masters() const;
  // Masters and replicas, to be asked for the map next time.
  [[nodiscard]] const std::vector<HostPort>& nodes() const { return nodes_; }

 private:
  [[nodiscard]] std::uint16_t find(const HostPort& node) const;
  std::uint16_t number_of(const HostPort& node, const HostPort& other = {});

  Prefer prefer_;
  std::vector<HostPort> nodes_, others_;        // as they are called here; by their other name
  std::array<std::uint16_t, kSlots> owners_{};  // number in nodes_ plus one; 0: nobody
};

}  // namespace mdpipe::publisher
