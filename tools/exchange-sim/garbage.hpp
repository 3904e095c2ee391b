#pragma once
// Bad frames of every kind, one after the other, to send between good ones.
#include <string>
#include <string_view>
#include <vector>

#include "tools/exchange-sim/bomb.hpp"

namespace mdpipe::sim {

struct GarbageFrame {
  std::string_view kind;
  Opcode opcode = Opcode::Text;
  std::string payload;
};

const std::vector<std::string>& garbage_kinds();

class Garbage {
 public:
  // Cycles through `kinds`, which are names of garbage_kinds(); `unknown_channel` is the venue's frame for
  // that kind.
  Garbage(std::vector<std::string> kinds, std::string unknown_channel)
      : kinds_(std::move(kinds)), unknown_channel_(std::move(unknown_channel)) {}

  // `good` is the last good frame, which some kinds spoil.
  GarbageFrame next(std::string_view good);

 private:
  std::vector<std::string> kinds_;
  std::string unknown_channel_;
  std::size_t at_ = 0;
};

}  // namespace mdpipe::sim
