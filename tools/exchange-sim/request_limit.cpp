#include "tools/exchange-sim/request_limit.hpp"

namespace mdpipe::sim {

bool RequestLimit::admit(SteadyTime now) {
  if (per_second_ == 0) return true;
  while (!admitted_.empty() && now - admitted_.front() >= std::chrono::seconds(1)) admitted_.pop_front();
  if (admitted_.size() >= per_second_) return false;
  admitted_.push_back(now);
  return true;
}

bool AddressLimits::admit(const std::string& address, SteadyTime now) {
  if (per_second_ == 0) return true;
  if (limits_.size() >= kAddressesMax && limits_.find(address) == limits_.end()) limits_.clear();
  return limits_.try_emplace(address, per_second_).first->second.admit(now);
}

}  // namespace mdpipe::sim
