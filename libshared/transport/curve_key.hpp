#pragma once
// Keys of ZeroMQ's CURVE (Curve25519, as 40 characters of Z85) and the files they live in: ZeroMQ's own
// certificate format, which mdpipe-keygen writes and CZMQ and PyZMQ read and write too. Reads and checks; who
// may talk to whom is security.hpp's.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::transport {

struct KeyPair {
  std::string public_key, secret_key;
};

// Throws zmq::error_t where libzmq was built without CURVE.
KeyPair make_key_pair();

// The text of a certificate, with a line for people on top; without the secret key where there is none.
std::string certificate_text(std::string_view name, const KeyPair& keys);

// What a certificate holds; a key that is missing or no key is left empty.
KeyPair parse_certificate(std::string_view text);

// The pair in the file, or in systemd's credential `curve_key` where no file is named; nothing where there is
// neither. A file that others may read is refused, as is one without a secret key.
Result<std::optional<KeyPair>> read_key_pair(const std::string& file);

// The public key in the file that `option` names.
Result<std::string> read_public_key(std::string_view option, const std::string& file);

// Names by public key: the folder's files NAME.key. A file without a key is an error.
using PeerKeys = std::map<std::string, std::string, std::less<>>;
Result<PeerKeys> read_peer_keys(std::string_view option, const std::string& folder);

}  // namespace mdpipe::transport
