#pragma once
// The difference between the subscriptions of the running and of a new configuration, in the order of the
// configuration. Pure.
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

struct SubscriptionChanges {
  std::vector<venues::Subscription> ended, begun;
};

// Those of `all` that are not among `others`.
inline std::vector<venues::Subscription> subscriptions_without(
    const std::vector<venues::Subscription>& all, const std::vector<venues::Subscription>& others) {
  std::set<std::pair<EventType, std::string_view>> known;
  for (const auto& other : others) known.emplace(other.channel, other.symbol);
  std::vector<venues::Subscription> rest;
  for (const auto& one : all) {
    if (known.count({one.channel, one.symbol}) == 0) rest.push_back(one);
  }
  return rest;
}

inline SubscriptionChanges changes_between(const std::vector<venues::Subscription>& before,
                                           const std::vector<venues::Subscription>& after) {
  return {subscriptions_without(before, after), subscriptions_without(after, before)};
}

}  // namespace mdpipe::reader
