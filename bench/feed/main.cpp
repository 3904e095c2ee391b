// The benchmark's exchange. It is not exchange-sim because it must never be the bottleneck: it renders
// everything beforehand, and serves one client that follows the protocol.
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>

#include "bench/feed/client.hpp"
#include "bench/feed/frame_pool.hpp"
#include "bench/feed/options.hpp"
#include "bench/feed/sender.hpp"
#include "libshared/process/exit_code.hpp"

namespace mdpipe::bench {
namespace {

// Waits for a line on standard input, or for its end; serves the client meanwhile.
void wait_for_go(Client& client) {
  std::array<char, 64> line{};
  while (client.is_open()) {
    std::array<pollfd, 2> inputs = {pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{client.fd(), POLLIN, 0}};
    (void)::poll(inputs.data(), inputs.size(), -1);
    if (inputs[1].revents != 0) client.listen(0);
    if (inputs[0].revents != 0) {
      if (::read(STDIN_FILENO, line.data(), line.size()) < 0)
        throw std::runtime_error("reading standard input");
      return;
    }
  }
}

void write_table(const Options& options, const Sender& sender) {
  if (options.table_file.empty()) return;
  std::ofstream file(options.table_file, std::ios::binary);
  file.write(reinterpret_cast<const char*>(sender.table().data()),
             static_cast<std::streamsize>(sender.table().size() * sizeof(SentFrame)));
}

void write_report(const Options& options, const Account& account) {
  if (options.report_file.empty()) return;
  std::ofstream(options.report_file + ".new") << fmt::format(
      R"({{"frames":{},"bytes":{},"trade":{},"ticker":{},"orderbook":{},"first_sent":{},"last_sent":{}}})"
      "\n",
      account.frames, account.bytes, account.by_kind[0], account.by_kind[1], account.by_kind[2],
      account.first_sent, account.last_sent);
  if (std::rename((options.report_file + ".new").c_str(), options.report_file.c_str()) != 0)
    throw std::runtime_error("writing the report");
}

void serve(const Options& options) {
  FramePool pool(options);
  prctl(PR_SET_TIMERSLACK, 1);  // ns; the default rounds each sleep up by 50 us
  const int listener = listen_on_free_port(options.port_file);
  Client client(listener);
  while (client.is_open() && client.subscriptions() == 0) client.listen(-1);
  std::puts("subscribed");
  (void)std::fflush(stdout);
  if (options.waits_for_go) wait_for_go(client);
  Sender sender(options, pool, client);
  sender.run();
  write_table(options, sender);
  write_report(options, sender.account());
  while (client.is_open()) client.listen(-1);
  ::close(listener);
}

}  // namespace
}  // namespace mdpipe::bench

int main(int argc, char** argv) {
  try {
    mdpipe::bench::serve(mdpipe::bench::parse_options(argc, argv));
    return mdpipe::process::kOk;
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "bench-feed: {}\n{}", error.what(), mdpipe::bench::usage());
    return mdpipe::process::kUsage;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-feed: {}\n", error.what());
    return mdpipe::process::kUnavailable;
  }
}
