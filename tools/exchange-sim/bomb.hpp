#pragma once
// WebSocket frames that a well-behaved library refuses to send, written by hand: text that is not UTF-8, and
// a small permessage-deflate frame that inflates to a large one.
#include <cstddef>
#include <string>
#include <string_view>

namespace mdpipe::sim {

enum class Opcode : unsigned char { Text = 1, Binary = 2 };

// Appends an unmasked, final frame, as servers send it; `compressed` sets RSV1.
void append_websocket_frame(Opcode opcode, std::string_view payload, bool compressed, std::string& out);

// A complete compressed text frame whose message has `inflated_bytes` bytes of valid JSON.
std::string deflate_bomb(std::size_t inflated_bytes);

}  // namespace mdpipe::sim
