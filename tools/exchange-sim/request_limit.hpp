#pragma once
// At most N requests in any second, as the exchanges count them. Refused requests do not count. The time is
// an argument.
#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "libshared/time/time.hpp"

namespace mdpipe::sim {

class RequestLimit {
 public:
  // 0 switches the limit off.
  explicit RequestLimit(std::size_t per_second = 0) : per_second_(per_second) {}
  bool admit(SteadyTime now);

 private:
  std::size_t per_second_;
  std::deque<SteadyTime> admitted_;  // never more than per_second_
};

// One limit for each address. Remembers at most kAddressesMax addresses; one more replaces all of
// them.
class AddressLimits {
 public:
  explicit AddressLimits(std::size_t per_second) : per_second_(per_second) {}
  bool admit(const std::string& address, SteadyTime now);

 private:
  static constexpr std::size_t kAddressesMax = 1024;
  std::size_t per_second_;
  std::map<std::string, RequestLimit> limits_;
};

}  // namespace mdpipe::sim
