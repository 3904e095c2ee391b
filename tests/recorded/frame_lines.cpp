#include "tests/recorded/frame_lines.hpp"

#include <zlib.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace mdpipe::recorded {

void for_each_line(const std::filesystem::path& path, const std::function<void(std::string_view)>& take) {
  // zlib reads files that are not compressed as they are.
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  std::vector<char> chunk(1 << 16);
  std::string line;
  for (;;) {
    const int bytes = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (bytes < 0) throw std::runtime_error("cannot read " + path.string());
    if (bytes == 0) break;
    for (const char c : std::string_view(chunk.data(), static_cast<std::size_t>(bytes))) {
      if (c != '\n') {
        line.push_back(c);
      } else {
        take(line);
        line.clear();
      }
    }
  }
  if (!line.empty()) take(line);
}

}  // namespace mdpipe::recorded
