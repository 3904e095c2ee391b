#pragma once
// Keys of ZeroMQ's CURVE (Curve25519, as 40 characters of Z85) and their files in ZeroMQ's certificate
// format, which mdpipe-keygen writes and which CZMQ and PyZMQ also read and write. Reads and checks keys;
// security.hpp decides which peers may connect.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::transport {

struct KeyPair {
  std::string public_key, secret_key;
};

// Throws zmq::error_t if libzmq was built without CURVE.
KeyPair make_key_pair();

// The text of a certificate, with a line for people at the top; without a secret key if there is none.
std::string certificate_text(std::string_view name, const KeyPair& keys);

// The keys in a certificate; a missing or invalid key is empty.
KeyPair parse_certificate(std::string_view text);

// The key pair in the file, or in systemd's credential `curve_key` if no file is named; nothing if there is
// neither. A file that others can read is refused, and so is a file without a secret key.
Result<std::optional<KeyPair>> read_key_pair(const std::string& file);

// The public key in the file that `option` names.
Result<std::string> read_public_key(std::string_view option, const std::string& file);

// Names by public key: the folder's files NAME.key. A file without a key is an error.
using PeerKeys = std::map<std::string, std::string, std::less<>>;
Result<PeerKeys> read_peer_keys(std::string_view option, const std::string& folder);

}  // namespace mdpipe::transport
