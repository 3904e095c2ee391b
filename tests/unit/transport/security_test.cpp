#include "libshared/transport/security.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libshared/transport/endpoint.hpp"

namespace mdpipe::transport {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kFar = "tcp://10.0.0.1:5555";
constexpr const char* kPath = "ipc:///run/mdpipe/events";

class SecurityTest : public testing::Test {
 protected:
  SecurityTest() {
    char name[] = "/tmp/mdpipe-security-XXXXXX";
    folder_ = mkdtemp(name);
    own_ = key("own");
    other_ = key("other");
    security_.add_options(table_, {true, true, true});
  }
  ~SecurityTest() override { std::filesystem::remove_all(folder_); }

  KeyPair key(const std::string& name) const {
    KeyPair keys = make_key_pair();
    const std::string secret = folder_ + "/" + name + ".key_secret";
    std::ofstream(secret) << certificate_text(name, keys);
    EXPECT_EQ(chmod(secret.c_str(), 0600), 0);
    std::ofstream(folder_ + "/" + name + ".key") << certificate_text(name, {keys.public_key, {}});
    return keys;
  }
  std::string load(const std::vector<std::string>& arguments) {
    std::vector<const char*> argv{"prog"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    if (const auto loaded = table_.load(static_cast<int>(argv.size()), argv.data()); !loaded)
      return loaded.error().message;
    const auto loaded = security_.load();
    return loaded ? "good" : loaded.error().message;
  }
  [[nodiscard]] std::string flag(const std::string& option, const std::string& name) const {
    return "--" + option + "=" + folder_ + "/" + name;
  }
  static std::string said(const Result<bool>& result) { return result ? "good" : result.error().message; }

  std::string folder_;
  KeyPair own_, other_;
  Security security_;
  config::OptionTable table_{"prog", "Does a thing."};
};

TEST(Loopback, is_what_stays_on_this_host) {
  for (const auto* near : {"tcp://127.0.0.1:1", "tcp://127.8.8.8:1", "tcp://localhost:1", "tcp://[::1]:1"})
    EXPECT_TRUE(is_loopback(near)) << near;
  for (const auto* far : {"tcp://*:1", "tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://eth0:1", "tcp://[::]:1",
                          "tcp://127.example:1", "tcp://localhost.example:1", "ipc:///127.0.0.1"})
    EXPECT_FALSE(is_loopback(far)) << far;
}

TEST_F(SecurityTest, clear_text_leaves_the_host_only_where_it_was_asked_for_by_name) {
  ASSERT_EQ(load({}), "good");
  for (const auto* near : {kPath, "tcp://127.0.0.1:5555", "none"}) {
    EXPECT_EQ(said(security_.check_listening("tap-endpoint", near)), "good") << near;
    EXPECT_EQ(said(security_.check_agent("metrics-endpoint", near)), "good") << near;
  }
  for (const auto* far : {kFar, "tcp://*:5555", "tcp://publisher.example:5555"}) {
    EXPECT_THAT(said(security_.check_publisher("events-endpoint", far)),
                AllOf(HasSubstr("--events-endpoint"), HasSubstr(far), HasSubstr("mdpipe-keygen"),
                      HasSubstr("--allow-clear-text-tcp")));
    EXPECT_NE(said(security_.check_listening("tap-endpoint", far)), "good");
    EXPECT_NE(said(security_.check_agent("metrics-endpoint", far)), "good");
  }
  ASSERT_EQ(load({"--allow-clear-text-tcp"}), "good");
  EXPECT_EQ(said(security_.check_listening("tap-endpoint", kFar)), "good");
  EXPECT_FALSE(security_.is_on());
  EXPECT_FALSE(security_.publisher(kFar).own);
}

TEST_F(SecurityTest, with_a_key_every_tcp_endpoint_needs_the_other_ends_too) {
  ASSERT_EQ(load({flag("curve-key-file", "own.key_secret")}), "good");
  for (const auto* near : {"tcp://127.0.0.1:5555", kFar}) {
    EXPECT_THAT(said(security_.check_publisher("events-endpoint", near)), HasSubstr("--publisher-key-file"));
    EXPECT_THAT(said(security_.check_agent("metrics-endpoint", near)), HasSubstr("--agent-key-file"));
    EXPECT_THAT(said(security_.check_listening("tap-endpoint", near)), HasSubstr("--curve-peers-dir"));
  }
  EXPECT_EQ(said(security_.check_publisher("events-endpoint", kPath)), "good");
  ASSERT_EQ(load({flag("curve-key-file", "own.key_secret"), flag("publisher-key-file", "other.key"),
                  flag("agent-key-file", "other.key"), flag("curve-peers-dir", "")}),
            "good");
  EXPECT_EQ(said(security_.check_publisher("events-endpoint", kFar)), "good");
  EXPECT_EQ(said(security_.check_agent("metrics-endpoint", kFar)), "good");
  EXPECT_EQ(said(security_.check_listening("tap-endpoint", kFar)), "good");
  EXPECT_EQ(security_.peers().at(other_.public_key), "other");
}

TEST_F(SecurityTest, an_endpoint_has_the_keys_of_both_ends) {
  ASSERT_EQ(load({flag("curve-key-file", "own.key_secret"), flag("publisher-key-file", "other.key")}),
            "good");
  const Endpoint publisher = security_.publisher(kFar);
  EXPECT_EQ(publisher.own->secret_key, own_.secret_key);
  EXPECT_EQ(publisher.server_key, other_.public_key);
  const Endpoint tap = security_.listening(kFar, "tap");
  EXPECT_TRUE(tap.own);
  EXPECT_EQ(tap.server_key, "");
  EXPECT_EQ(tap.name, "tap");
  EXPECT_FALSE(security_.publisher(kPath).own) << "a path is the host's to protect";
}

TEST_F(SecurityTest, keys_of_others_without_an_own_one_are_a_mistake) {
  EXPECT_THAT(load({flag("publisher-key-file", "other.key")}), HasSubstr("--curve-key-file"));
  EXPECT_THAT(load({flag("curve-peers-dir", "")}), HasSubstr("--curve-key-file"));
  EXPECT_THAT(load({flag("publisher-key-file", "missing.key")}), HasSubstr("--publisher-key-file"));
}

}  // namespace
}  // namespace mdpipe::transport
