// Real sockets over loopback: which peers are accepted and which are refused.
#include "libshared/gatekeeper/gatekeeper.hpp"

#include <gmock/gmock.h>

#include <asio/steady_timer.hpp>

namespace mdpipe::transport {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

class GatekeeperTest : public testing::Test {
 protected:
  GatekeeperTest() {
    Endpoint endpoint("tcp://127.0.0.1:*");
    endpoint.own = server_;
    endpoint.name = "events";
    pull_.bind(endpoint);
    pull_.on_ready([this] {
      zmq::message_t message;
      while (pull_.receive(message)) received_.emplace_back(view(message));
      return false;
    });
  }

  // Sends again and again over a separate connection, as readers do.
  struct Peer {
    Peer(GatekeeperTest& test, std::optional<KeyPair> own, const std::string& server_key, std::string said)
        : socket(test.io_, test.client_context_, zmq::socket_type::push), word(std::move(said)) {
      Endpoint endpoint(test.pull_.last_endpoint());
      endpoint.own = std::move(own);
      endpoint.server_key = server_key;
      socket.raw().set(zmq::sockopt::immediate, true);
      socket.connect(endpoint);
    }
    Socket socket;
    std::string word;
  };

  // Runs the loop until `done`, or fails at the deadline.
  template <typename Done>
  void run_until(const std::vector<Peer*>& peers, Done done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "not within the deadline";
      for (Peer* peer : peers) peer->socket.send(peer->word);
      io_.restart();
      io_.run_for(std::chrono::milliseconds(10));
    }
  }
  [[nodiscard]] bool has(const std::string& word) const {
    return std::find(received_.begin(), received_.end(), word) != received_.end();
  }
  std::uint64_t refused() {
    return collector_.total(collector_.series(metrics::Metric::ConnectionsRefused, {"test", "events"}));
  }

  asio::io_context io_;
  zmq::context_t context_, client_context_;
  metrics::MetricsCollector collector_{{"test", "test", "", true, 100}};
  KeyPair server_ = make_key_pair(), friend_ = make_key_pair(), stranger_ = make_key_pair();
  Gatekeeper gatekeeper_{io_, context_, collector_, {"events"}, {{friend_.public_key, "friend"}}};
  Socket pull_{io_, context_, zmq::socket_type::pull};
  std::vector<std::string> received_;
};

TEST_F(GatekeeperTest, a_known_key_gets_in_and_nobody_else) {
  Peer stranger(*this, stranger_, server_.public_key, "stranger");
  Peer plain(*this, std::nullopt, "", "plain");
  Peer deceived(*this, friend_, stranger_.public_key, "deceived");  // expects another server key
  Peer known(*this, friend_, server_.public_key, "friend");
  run_until({&stranger, &plain, &deceived, &known}, [&] { return has("friend") && refused() > 0; });
  EXPECT_FALSE(has("stranger"));
  EXPECT_FALSE(has("plain"));
  EXPECT_FALSE(has("deceived"));
}

TEST_F(GatekeeperTest, a_key_that_becomes_known_gets_in_without_a_restart_of_anybody) {
  Peer stranger(*this, stranger_, server_.public_key, "stranger");
  run_until({&stranger}, [&] { return refused() > 0; });
  gatekeeper_.set_peers({{stranger_.public_key, "late"}});
  run_until({&stranger}, [&] { return has("stranger"); });
}

}  // namespace
}  // namespace mdpipe::transport
