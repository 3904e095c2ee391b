#pragma once
// Writes the two files of a new key, NAME.key_secret and NAME.key: both or neither, readable by their owner
// only, and never over an existing file.
#include <string>

#include "libshared/result/result.hpp"
#include "libshared/transport/curve_key.hpp"

namespace mdpipe::keygen {

struct KeyFiles {
  std::string secret, public_key;
};

// BadConfig names the file and the system's error.
Result<KeyFiles> write_key_files(const std::string& folder, const std::string& name,
                                 const transport::KeyPair& keys);

}  // namespace mdpipe::keygen
