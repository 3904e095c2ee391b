#pragma once
// How far the events of one reader have reached Redis, as the hash of cursors holds it: "epoch:seq". Pure.
#include <cstdint>
#include <string>
#include <string_view>

namespace mdpipe::publisher {

// "1795383946620062384:4711" <-> epoch and seq.
std::string format_cursor(std::uint64_t epoch, std::uint64_t seq);
bool parse_cursor(std::string_view text, std::uint64_t& epoch, std::uint64_t& seq);

}  // namespace mdpipe::publisher
