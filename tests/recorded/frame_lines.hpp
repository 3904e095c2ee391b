#pragma once
// The frames of a recording, one a line, from plain or gzip files.
#include <filesystem>
#include <functional>
#include <string_view>

namespace mdpipe::recorded {

// Calls `take` with each line, without its end. Throws std::runtime_error if the file cannot be read.
void for_each_line(const std::filesystem::path& path, const std::function<void(std::string_view)>& take);

}  // namespace mdpipe::recorded
