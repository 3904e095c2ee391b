#include "metrics-agent/http/server/startable_threads.hpp"

#include <future>
#include <system_error>
#include <thread>
#include <vector>

namespace mdpipe::agent {

std::size_t startable_threads(std::size_t wanted) {
  std::promise<void> counted;
  const auto end = counted.get_future().share();
  std::vector<std::thread> threads;
  threads.reserve(wanted);
  try {
    while (threads.size() < wanted) threads.emplace_back([end] { end.wait(); });
  } catch (const std::system_error&) {
    // That is the limit.
  }
  counted.set_value();
  for (std::thread& thread : threads) thread.join();
  return threads.size();
}

}  // namespace mdpipe::agent
