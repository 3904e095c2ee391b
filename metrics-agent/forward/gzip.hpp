#pragma once
// Compresses a text as a gzip file. Pure.
#include <string>
#include <string_view>

namespace mdpipe::agent {

std::string gzip(std::string_view text);

}  // namespace mdpipe::agent
