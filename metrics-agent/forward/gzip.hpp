#pragma once
// A text as a gzip file holds it, in one piece. Pure.
#include <string>
#include <string_view>

namespace mdpipe::agent {

std::string gzip(std::string_view text);

}  // namespace mdpipe::agent
