#include "md-publisher/redis/connection_failure.hpp"

#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include "md-publisher/redis/reconnect_pace.hpp"
#include "md-publisher/redis/tls_failure.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;
using Phase = ConnectionPhase;

const std::error_code kRefused = std::make_error_code(std::errc::connection_refused);
const std::error_code kReset = std::make_error_code(std::errc::connection_reset);

bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

struct ConnectionFailureTest : testing::Test {
  RedisAddress plain = parse_redis_url("redis://redis.example:6380").value();
  RedisAddress tls = parse_redis_url("rediss://redis.example:6380").value();
};

TEST_F(ConnectionFailureTest, names_the_address_that_was_tried_beside_the_name) {
  const auto failure = failure_of({plain, "192.0.2.7:6380", Phase::Connect, false}, kRefused);
  EXPECT_EQ(failure.reason, "cannot connect to redis.example:6380 (192.0.2.7:6380): Connection refused");
  const RedisAddress number = parse_redis_url("redis://192.0.2.7:6380").value();
  EXPECT_EQ(failure_of({number, "192.0.2.7:6380", Phase::Connect, false}, kRefused).reason,
            "cannot connect to 192.0.2.7:6380: Connection refused");
  const RedisAddress path = parse_redis_url("unix:///run/r.sock").value();
  EXPECT_EQ(failure_of({path, "/run/r.sock", Phase::Connect, false}, kRefused).reason,
            "cannot connect to /run/r.sock: Connection refused");
}

TEST_F(ConnectionFailureTest, each_has_a_remedy) {
  for (const RedisAddress& address : {plain, tls}) {
    for (const Phase phase : {Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Handshake, Phase::Open}) {
      const ConnectionState connection{address, "192.0.2.7:6380", phase, phase == Phase::Open};
      EXPECT_FALSE(failure_of(connection, kReset).remedy.empty());
      EXPECT_FALSE(timeout_of(connection, milliseconds(7), "--x").remedy.empty());
      EXPECT_TRUE(has(timeout_of(connection, milliseconds(7), "--x").reason, "no answer within --x 7 ms"));
      EXPECT_EQ(policy_of(failure_of(connection, kReset)), RetryPolicy::Reconnect);
    }
  }
}

TEST_F(ConnectionFailureTest, suspects_that_one_side_speaks_tls_only_before_the_first_answer) {
  EXPECT_TRUE(has(failure_of({plain, "h:1", Phase::Handshake, false}, kReset).reason, "write rediss://"));
  EXPECT_FALSE(has(failure_of({plain, "h:1", Phase::Handshake, true}, kReset).reason, "rediss://"));
  EXPECT_FALSE(has(failure_of({plain, "h:1", Phase::Open, true}, kReset).reason, "rediss://"));
  EXPECT_TRUE(has(timeout_of({tls, "h:1", Phase::Tls, false}, milliseconds(1), {}).reason, "write redis://"));
  EXPECT_TRUE(has(failure_of({tls, "h:1", Phase::Tls, false}, kReset).remedy, "maxclients"));
}

TEST_F(ConnectionFailureTest, a_tls_alert_in_answer_to_clear_text_is_certain) {
  const auto failure = no_redis({plain, "h:1", Phase::Handshake, false}, "\x15\x03\x01", "Protocol error");
  ASSERT_TRUE(failure.error);
  EXPECT_EQ(failure.error->kind, RedisErrorKind::Tls);
  const auto other = no_redis({plain, "h:1", Phase::Handshake, false}, "HTTP/1.1 400", "Protocol error");
  EXPECT_FALSE(other.error);
  EXPECT_TRUE(has(other.reason, "does not speak Redis's protocol"));
}

TEST_F(ConnectionFailureTest, a_certificate_waits_for_a_person) {
  const auto failure = failure_of({tls, "192.0.2.7:6380", Phase::Tls, false},
                                  {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, tls_category()});
  EXPECT_EQ(policy_of(failure), RetryPolicy::Slow);
  EXPECT_TRUE(has(remedy(*failure.error, "md"), "--redis-tls-ca-file"));
}

TEST(ReconnectPace, grows_to_its_limit_and_is_shortened_by_half_at_most) {
  ReconnectPace pace(milliseconds(5'000), false, 1);
  for (const int longest : {50, 100, 200, 400, 800, 1'600, 3'200, 5'000, 5'000}) {
    const auto pause = pace.next({});
    EXPECT_LE(pause.count(), longest);
    EXPECT_GE(pause.count(), longest / 2);
  }
  pace.reset();
  EXPECT_LE(pace.next({}), milliseconds(50));
}

TEST(ReconnectPace, stays_short_while_another_server_may_take_over_and_not_for_what_needs_a_person) {
  ReconnectPace pace(milliseconds(5'000), true, 1);
  for (int i = 0; i < 20; ++i) EXPECT_LE(pace.next({}), milliseconds(500));
  EXPECT_GE(pace.next({{}, {}, RedisError{RedisErrorKind::Auth, {}, {}, {}}}), milliseconds(2'500));
}

TEST(ReconnectPace, goes_at_once_to_the_name_of_a_server_that_became_a_replica) {
  ReconnectPace pace(milliseconds(5'000), false, 1);
  const ConnectionFailure replica{{}, {}, RedisError{RedisErrorKind::ReadOnly, {}, {}, {}}};
  EXPECT_EQ(pace.next(replica), milliseconds(0));
  EXPECT_GT(pace.next(replica), milliseconds(0));
}

}  // namespace
}  // namespace mdpipe::publisher
