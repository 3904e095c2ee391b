#include "libshared/transport/endpoint.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

namespace mdpipe::transport {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string checked(const std::string& endpoint) {
  const auto result = check_endpoint("events-endpoint", endpoint);
  return result ? "good" : result.error().message;
}

TEST(Endpoint, ipc_and_tcp_are_good) {
  for (const auto* endpoint : {"ipc:///run/mdpipe/events", "tcp://127.0.0.1:0", "tcp://*:5555",
                               "tcp://host.example:65535", "tcp://[::1]:7000"}) {
    EXPECT_EQ(checked(endpoint), "good") << endpoint;
  }
}

TEST(Endpoint, the_rest_is_named_with_what_is_expected) {
  for (const auto* endpoint :
       {"", "events", "ipc://", "ipc://relative", "tcp://", "tcp://host", "tcp://:80",
        "tcp://host:", "tcp://host:65536", "tcp://host:x", "inproc://x", "udp://h:1"}) {
    EXPECT_THAT(checked(endpoint), AllOf(HasSubstr("--events-endpoint"), HasSubstr("expected ipc:///")))
        << endpoint;
  }
}

TEST(Endpoint, a_path_too_long_for_a_socket_is_refused_with_its_length) {
  EXPECT_EQ(checked("ipc:///" + std::string(106, 'x')), "good");
  EXPECT_THAT(checked("ipc:///" + std::string(107, 'x')),
              AllOf(HasSubstr("108 characters"), HasSubstr("may have 107")));
}

TEST(Endpoint, default_names_lie_in_the_runtime_folder) {
  EXPECT_EQ(ipc_endpoint("/run/mdpipe", "events"), "ipc:///run/mdpipe/events");
}

class GuardTest : public testing::Test {
 protected:
  GuardTest() {
    char name[] = "/tmp/mdpipe-guard-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~GuardTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(GuardTest, makes_the_folder_and_refuses_a_second_holder) {
  const std::string endpoint = "ipc://" + folder_ + "/new/events";
  const auto guard = guard_bind(endpoint);
  ASSERT_TRUE(guard);
  EXPECT_TRUE(guard.value().has_value());
  const auto second = guard_bind(endpoint);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Unavailable);
  EXPECT_THAT(second.error().message, HasSubstr("/new/events.lock"));
}

TEST_F(GuardTest, tcp_needs_no_guard) { EXPECT_FALSE(guard_bind("tcp://127.0.0.1:1").value().has_value()); }

}  // namespace
}  // namespace mdpipe::transport
