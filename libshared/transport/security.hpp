#pragma once
// What protects a program's tcp endpoints: its own CURVE key, the keys of the peers it connects to, and the
// keys of the peers that may connect. Paths on this host (ipc) need none. Decides what an endpoint uses;
// opens nothing.
#include <optional>
#include <string>
#include <string_view>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "libshared/transport/curve_key.hpp"

namespace mdpipe::transport {

// An address with everything that a socket needs to know about it.
struct Endpoint {
  // NOLINTBEGIN(google-explicit-constructor): where nothing is to be protected an address is an endpoint
  Endpoint(std::string at) : address(std::move(at)) {}
  Endpoint(const char* at) : address(at) {}
  // NOLINTEND(google-explicit-constructor)

  std::string address;
  std::optional<KeyPair> own;  // nothing: not encrypted
  std::string server_key;      // of the peer we connect to; empty if we listen
  std::string name;            // the gatekeeper's name for it, if we listen
};

// The options, and the contents of the files that they name.
class Security {
 public:
  // Which peers this program connects to, and whether others connect to it.
  struct Roles {
    bool to_publisher = false, to_agent = false, listens = false;
  };

  void add_options(config::OptionTable& table, Roles roles);

  // Reads the files. BadConfig names the option and the remedy.
  Result<bool> load();

  // Whether the address may be used: unencrypted only on loopback, unless an option allows clear text.
  [[nodiscard]] Result<bool> check_listening(std::string_view option, std::string_view address) const;
  [[nodiscard]] Result<bool> check_publisher(std::string_view option, std::string_view address) const;
  [[nodiscard]] Result<bool> check_agent(std::string_view option, std::string_view address) const;

  // For addresses that were checked.
  [[nodiscard]] Endpoint listening(const std::string& address, std::string name) const;
  [[nodiscard]] Endpoint publisher(const std::string& address) const { return peer(address, publisher_key_); }
  [[nodiscard]] Endpoint agent(const std::string& address) const { return peer(address, agent_key_); }

  // Whether tcp endpoints are encrypted.
  [[nodiscard]] bool is_on() const { return own_.has_value(); }
  // The peers that may connect, by key.
  [[nodiscard]] const PeerKeys& peers() const { return peers_; }
  // For a configuration that was read again.
  void take_peers(const Security& fresh);

 private:
  [[nodiscard]] Result<bool> check_clear_text(std::string_view option, std::string_view address) const;
  [[nodiscard]] Result<bool> check_peer(std::string_view option, std::string_view address,
                                        std::string_view key_option, const std::string& key) const;
  [[nodiscard]] Endpoint peer(const std::string& address, const std::string& key) const;

  std::string key_file_, publisher_key_file_, agent_key_file_, peers_dir_;
  bool allow_clear_text_ = false;
  std::optional<KeyPair> own_;
  std::string publisher_key_, agent_key_;
  PeerKeys peers_;
};

}  // namespace mdpipe::transport
