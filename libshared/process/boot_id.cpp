#include "libshared/process/boot_id.hpp"

#include <fstream>

namespace mdpipe::process {

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace mdpipe::process
