#pragma once
// Writes the two files of a new key, NAME.key_secret and NAME.key: both or neither, for their owner's eyes
// only, and never over one that is there.
#include <string>

#include "libshared/result/result.hpp"
#include "libshared/transport/curve_key.hpp"

namespace mdpipe::keygen {

struct KeyFiles {
  std::string secret, public_key;
};

// BadConfig names the file and what the system said.
Result<KeyFiles> write_key_files(const std::string& folder, const std::string& name,
                                 const transport::KeyPair& keys);

}  // namespace mdpipe::keygen
