#include "libshared/transport/security.hpp"

#include <fmt/format.h>

#include "libshared/transport/endpoint.hpp"

namespace mdpipe::transport {
namespace {

Error not_secure(std::string message) { return Error{ErrorKind::BadConfig, std::move(message)}; }

Result<bool> read_key_into(std::string& key, std::string_view option, const std::string& file) {
  key.clear();
  if (file.empty()) return true;
  auto read = read_public_key(option, file);
  if (!read) return read.error();
  key = std::move(read.value());
  return true;
}

}  // namespace

void Security::add_options(config::OptionTable& table, Roles roles) {
  table
      .add("curve-key-file", key_file_,
           "Secret key of this program, made by mdpipe-keygen; by default systemd's credential curve_key, if "
           "it exists. With a key, every tcp endpoint is encrypted and both ends prove who they are.")
      .value_name("FILE");
  if (roles.to_publisher) {
    table
        .add("publisher-key-file", publisher_key_file_,
             "Public key of md-publisher, if its endpoints are tcp and encrypted.")
        .value_name("FILE");
  }
  if (roles.to_agent) {
    table
        .add("agent-key-file", agent_key_file_,
             "Public key of metrics-agent, if its endpoint is tcp and encrypted.")
        .value_name("FILE");
  }
  if (roles.listens) {
    table
        .add("curve-peers-dir", peers_dir_,
             "Folder of the public keys, NAME.key, that may connect to this program's encrypted endpoints.")
        .value_name("DIR")
        .reloads();
  }
  table.add("allow-clear-text-tcp", allow_clear_text_,
            "Allow unencrypted tcp endpoints on other hosts; anyone between the hosts can read and forge the "
            "data.");
}

Result<bool> Security::load() {
  auto own = read_key_pair(key_file_);
  if (!own) return own.error();
  own_ = std::move(own.value());
  if (auto read = read_key_into(publisher_key_, "publisher-key-file", publisher_key_file_); !read)
    return read;
  if (auto read = read_key_into(agent_key_, "agent-key-file", agent_key_file_); !read) return read;
  peers_.clear();
  if (!peers_dir_.empty()) {
    auto peers = read_peer_keys("curve-peers-dir", peers_dir_);
    if (!peers) return peers.error();
    peers_ = std::move(peers.value());
  }
  const bool knows_others = !publisher_key_.empty() || !agent_key_.empty() || !peers_dir_.empty();
  if (!own_ && knows_others)
    return not_secure("keys of others are named, but --curve-key-file is not; make one with mdpipe-keygen");
  return true;
}

void Security::take_peers(const Security& fresh) {
  peers_dir_ = fresh.peers_dir_;
  peers_ = fresh.peers_;
}

Result<bool> Security::check_clear_text(std::string_view option, std::string_view address) const {
  if (allow_clear_text_ || !is_tcp(address) || is_loopback(address)) return true;
  return not_secure(
      fmt::format("--{} '{}' leaves this host in clear text, and --curve-key-file is not set; make keys with "
                  "mdpipe-keygen, or say --allow-clear-text-tcp",
                  option, address));
}

Result<bool> Security::check_listening(std::string_view option, std::string_view address) const {
  if (!own_ || !is_tcp(address)) return check_clear_text(option, address);
  if (!peers_dir_.empty()) return true;
  return not_secure(fmt::format(
      "--{} '{}' is encrypted, and nobody may connect: --curve-peers-dir is not set; name the folder of the "
      "public keys that may",
      option, address));
}

Result<bool> Security::check_peer(std::string_view option, std::string_view address,
                                  std::string_view key_option, const std::string& key) const {
  if (!own_ || !is_tcp(address)) return check_clear_text(option, address);
  if (!key.empty()) return true;
  return not_secure(fmt::format(
      "--{} '{}' is encrypted, and --{} is not set; name the public key of the one that listens there",
      option, address, key_option));
}

Result<bool> Security::check_publisher(std::string_view option, std::string_view address) const {
  return check_peer(option, address, "publisher-key-file", publisher_key_);
}

Result<bool> Security::check_agent(std::string_view option, std::string_view address) const {
  return check_peer(option, address, "agent-key-file", agent_key_);
}

Endpoint Security::listening(const std::string& address, std::string name) const {
  Endpoint endpoint = peer(address, {});
  endpoint.name = std::move(name);
  return endpoint;
}

Endpoint Security::peer(const std::string& address, const std::string& key) const {
  Endpoint endpoint(address);
  if (!own_ || !is_tcp(address)) return endpoint;
  endpoint.own = own_;
  endpoint.server_key = key;
  return endpoint;
}

}  // namespace mdpipe::transport
