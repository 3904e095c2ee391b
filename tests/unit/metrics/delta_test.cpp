#include "libshared/metrics/delta.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::metrics {
namespace {

using testing::HasSubstr;

std::string encoded(const Delta& delta) {
  wire::ByteBuffer buffer;
  encode(delta, buffer);
  return std::string(buffer.view());
}

Delta sample(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Delta delta;
  delta.component = "ws-reader";
  delta.source = "gmo";
  delta.epoch = random();
  delta.origin = random();
  delta.n = random() % 1000 + 1;
  delta.time_ns = static_cast<std::int64_t>(random() >> 1U);
  delta.full = random() % 2 == 0;
  delta.last = random() % 2 == 0;
  for (SeriesId id = 0; id < random() % 20; ++id) {
    delta.series.push_back(
        {id, "collector_messages_received_total", {"gmo", "ticker", std::to_string(random())}});
    delta.counters.emplace_back(id, random());
    delta.gauges.emplace_back(id, static_cast<double>(random()) / 7);
    HistogramTotals totals{random(), 1.5, std::vector<std::uint64_t>(kLatencyBounds.size(), random()), {}};
    totals.buckets.emplace_back(random() % kQuantileBuckets, random());
    delta.histograms.emplace_back(id, totals);
  }
  return delta;
}

TEST(Delta, decode_undoes_encode) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Delta delta = sample(seed);
    std::string bytes = encoded(delta);
    auto decoded = decode_delta(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(encoded(decoded.value()), encoded(delta));
    decoded.value().series.take_over();
    std::fill(bytes.begin(), bytes.end(), '\0');
    EXPECT_EQ(encoded(decoded.value()), encoded(delta));
    EXPECT_EQ(decoded.value().component, delta.component);
    EXPECT_EQ(decoded.value().epoch, delta.epoch);
    EXPECT_EQ(decoded.value().origin, delta.origin);
    EXPECT_EQ(decoded.value().counters, delta.counters);
    EXPECT_EQ(decoded.value().gauges, delta.gauges);
  }
}

TEST(Delta, a_message_that_is_cut_anywhere_is_refused) {
  const std::string bytes = encoded(sample(7));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto decoded = decode_delta(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().kind, ErrorKind::Protocol);
  }
}

// Whatever bytes arrive, the answer is a value or an error: nothing throws, hangs or reads astray.
TEST(Delta, any_bytes_get_an_answer) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = encoded(sample(static_cast<std::uint64_t>(round % 50)));
    const auto changes = random() % 8 + 1;
    for (std::uint64_t i = 0; i < changes; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto decoded = decode_delta(bytes);
    if (!decoded) {
      EXPECT_FALSE(decoded.error().message.empty());
    }
  }
}

TEST(Delta, sizes_that_promise_too_much_are_refused) {
  EXPECT_FALSE(decode_delta(std::string("\xdd\xff\xff\xff\xff", 5)));  // an array of 4 billion
  EXPECT_FALSE(decode_delta(std::string("\xdf\xff\xff\xff\xff", 5)));  // a map of 4 billion
  EXPECT_FALSE(decode_delta(std::string(10'000, '\x91')));             // arrays in arrays in arrays
  EXPECT_FALSE(decode_delta(""));
  EXPECT_FALSE(decode_delta("\x01"));
}

TEST(Delta, another_version_is_refused_by_name) {
  std::string bytes = encoded(sample(1));
  const std::size_t version = bytes.find("\xa1v") + 2;
  bytes[version] = 9;
  const auto decoded = decode_delta(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr("wire version 9"));
}

TEST(Delta, a_bucket_that_does_not_exist_is_refused) {
  Delta delta = sample(1);
  HistogramTotals totals{1, 1, std::vector<std::uint64_t>(kLatencyBounds.size()), {{kQuantileBuckets, 1}}};
  delta.histograms = {{0, totals}};
  EXPECT_FALSE(decode_delta(encoded(delta)));
  totals.buckets.clear();
  totals.bounds.pop_back();
  delta.histograms = {{0, totals}};
  EXPECT_FALSE(decode_delta(encoded(delta)));
}

}  // namespace
}  // namespace mdpipe::metrics
