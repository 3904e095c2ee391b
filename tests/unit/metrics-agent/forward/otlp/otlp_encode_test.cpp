#include "metrics-agent/forward/otlp/otlp_encode.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <protozero/pbf_reader.hpp>

#include "metrics-agent/forward/gzip.hpp"
#include "metrics-agent/forward/otlp/otlp_metric.hpp"
#include "tests/unit/metrics-agent/forward/otlp/otlp_fixture.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

struct Field {
  std::uint64_t value = 0;  // of numbers, as bits
  std::string_view bytes;   // of texts, messages and packed lists
};
// Fields of a message by number; those that repeat in their order.
using Message = std::multimap<unsigned, Field>;

Message read(std::string_view bytes) {
  Message out;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    const unsigned number = reader.tag();
    Field field;
    if (reader.wire_type() == protozero::pbf_wire_type::varint) {
      field.value = reader.get_uint64();
    } else if (reader.wire_type() == protozero::pbf_wire_type::fixed64) {
      field.value = reader.get_fixed64();
    } else {
      field.bytes = reader.get_view();
    }
    out.emplace(number, field);
  }
  return out;
}

std::vector<std::string_view> all(const Message& message, unsigned field) {
  std::vector<std::string_view> out;
  for (auto [one, end] = message.equal_range(field); one != end; ++one) out.push_back(one->second.bytes);
  return out;
}

Field one(const Message& message, unsigned field) {
  EXPECT_EQ(message.count(field), 1U) << field;
  return message.find(field)->second;
}

double number(const Field& field) {
  double out = 0;
  std::memcpy(&out, &field.value, sizeof out);
  return out;
}

int unzigzag(std::uint64_t value) { return static_cast<int>(value >> 1U) ^ -static_cast<int>(value & 1U); }

// The metrics of a request by name.
std::map<std::string, Message> metrics_of(const OtlpRequest& request) {
  const Message resource_metrics = read(one(read(request.body), 1).bytes);
  const Message scope_metrics = read(one(resource_metrics, 2).bytes);
  std::map<std::string, Message> out;
  for (const auto bytes : all(scope_metrics, 2)) {
    Message metric = read(bytes);
    out.emplace(one(metric, 1).bytes, std::move(metric));
  }
  return out;
}

std::map<std::string, std::string> attributes_of(const Message& message, unsigned field) {
  std::map<std::string, std::string> out;
  for (const auto bytes : all(message, field)) {
    const Message pair = read(bytes);
    out.emplace(one(pair, 1).bytes, one(read(one(pair, 2).bytes), 1).bytes);
  }
  return out;
}

class OtlpEncodeTest : public testing::Test {
 protected:
  void make(OtlpForm form) {
    form.resource = {{"service.name", "mdpipe"}, {"service.instance.id", "host:/run/mdpipe"}};
    form.version = "0.1.0";
    agent_.emplace(form.temporality);
    encoder_.emplace(form, agent_->store, agent_->counts);
    agent_->hear(reader_.counter(Metric::MessagesReceived, kTicker, 10)
                     .counter(Metric::Reconnects, {"gmo"}, 0)
                     .histogram(Metric::PublishLatency, kLatencyLabels, 3, 1'000'000)
                     .gauge(Metric::FeedState, kTicker, 1)
                     .gauge(Metric::ConnectionUp, {"gmo"}, 1)
                     .gauge(Metric::ProcessCpuSeconds, {"ws-reader", "gmo"}, 0.25)
                     .message(),
                 1);
    agent_->end_window(10);
  }
  std::map<std::string, Message> next() {
    request_ = encoder_->next_request();
    return metrics_of(request_);
  }

  FakeComponent reader_{"ws-reader", "gmo", epoch_at(-50)};
  std::optional<OtlpAgent> agent_;
  std::optional<OtlpEncoder> encoder_;
  OtlpRequest request_;  // which the messages point into
};

constexpr unsigned kGauge = 5, kSum = 7, kHistogram = 9, kExponential = 10;

TEST_F(OtlpEncodeTest, a_request_names_its_resource_and_scope) {
  make({});
  encoder_->begin_round();
  const OtlpRequest request = encoder_->next_request();
  const Message resource_metrics = read(one(read(request.body), 1).bytes);
  EXPECT_EQ(attributes_of(read(one(resource_metrics, 1).bytes), 1),
            (std::map<std::string, std::string>{{"service.name", "mdpipe"},
                                                {"service.instance.id", "host:/run/mdpipe"}}));
  const Message scope = read(one(read(one(resource_metrics, 2).bytes), 1).bytes);
  EXPECT_EQ(one(scope, 1).bytes, "mdpipe");
  EXPECT_EQ(one(scope, 2).bytes, "0.1.0");
  EXPECT_TRUE(encoder_->is_done());
}

TEST_F(OtlpEncodeTest, totals_are_monotonic_sums_also_those_that_are_zero) {
  make({});
  encoder_->begin_round();
  const auto metrics = next();
  const Message& metric = metrics.at("collector_messages_received_total");
  EXPECT_EQ(one(metric, 2).bytes, "Events read from the exchange.");
  EXPECT_EQ(one(metric, 3).bytes, "{event}");
  const Message sum = read(one(metric, kSum).bytes);
  EXPECT_EQ(one(sum, 2).value, 2U);  // cumulative
  EXPECT_EQ(one(sum, 3).value, 1U);  // monotonic
  const Message point = read(one(sum, 1).bytes);
  EXPECT_EQ(one(point, 6).value, 10U);
  EXPECT_EQ(static_cast<std::int64_t>(one(point, 2).value), at(-50).wall.count);
  EXPECT_EQ(static_cast<std::int64_t>(one(point, 3).value), at(10).wall.count);
  EXPECT_EQ(attributes_of(point, 7), (std::map<std::string, std::string>{
                                         {"exchange", "gmo"}, {"channel", "ticker"}, {"symbol", "BTC_JPY"}}));
  const Message zero = read(one(read(one(metrics.at("collector_reconnects_total"), kSum).bytes), 1).bytes);
  EXPECT_EQ(one(zero, 6).value, 0U);
  const Message cpu = read(one(read(one(metrics.at("process_cpu_seconds_total"), kSum).bytes), 1).bytes);
  EXPECT_EQ(number(one(cpu, 4)), 0.25);
  EXPECT_EQ(static_cast<std::int64_t>(one(cpu, 2).value), at(-50).wall.count);
}

TEST_F(OtlpEncodeTest, gauges_have_no_beginning_and_states_one_point_each) {
  make({});
  encoder_->begin_round();
  const auto metrics = next();
  const Message up = read(one(read(one(metrics.at("collector_connection_up"), kGauge).bytes), 1).bytes);
  EXPECT_EQ(number(one(up, 4)), 1);
  EXPECT_EQ(up.count(2), 0U);
  std::map<std::string, double> states;
  const Message feed_state = read(one(metrics.at("collector_feed_state"), kGauge).bytes);
  for (const auto bytes : all(feed_state, 1)) {
    const Message point = read(bytes);
    states[attributes_of(point, 7).at("state")] = number(one(point, 4));
  }
  EXPECT_EQ(states, (std::map<std::string, double>{
                        {"pending", 0}, {"live", 1}, {"quiet", 0}, {"stale", 0}, {"gap", 0}, {"down", 0}}));
  const Message component = read(one(read(one(metrics.at("collector_component_up"), kGauge).bytes), 1).bytes);
  EXPECT_EQ(attributes_of(component, 7),
            (std::map<std::string, std::string>{{"component", "ws-reader"}, {"source", "gmo"}}));
}

TEST_F(OtlpEncodeTest, a_metric_without_points_is_left_out) {
  make({});
  agent_->hear(reader_.message(true, true), 11);  // goodbye: its gauges are unset
  agent_->end_window(20);
  encoder_->begin_round();
  const auto metrics = next();
  EXPECT_EQ(metrics.count("collector_connection_up"), 0U);
  EXPECT_EQ(metrics.count("collector_messages_received_total"), 1U);
}

TEST_F(OtlpEncodeTest, exponential_histograms_hold_every_observation) {
  make({});
  agent_->hear(reader_.histogram(Metric::PublishLatency, kLatencyLabels, 5, 1'000'000).message(), 11);
  agent_->end_window(20);
  encoder_->begin_round();
  const Message data = read(one(next().at("collector_publish_latency_seconds"), kExponential).bytes);
  EXPECT_EQ(one(data, 2).value, 2U);
  const Message point = read(one(data, 1).bytes);
  EXPECT_EQ(one(point, 4).value, 5U);
  EXPECT_NEAR(number(one(point, 5)), 0.005, 1e-12);
  EXPECT_EQ(unzigzag(one(point, 6).value), 6);
  EXPECT_EQ(one(point, 7).value, 0U);
  const Message positive = read(one(point, 8).bytes);
  EXPECT_EQ(one(positive, 2).bytes, "\x05");  // one bucket
  EXPECT_EQ(attributes_of(point, 1).at("stream"), "md:ticker");
}

TEST_F(OtlpEncodeTest, explicit_histograms_have_the_bounds_of_the_page) {
  OtlpForm form;
  form.histograms = HistogramForm::Explicit;
  make(form);
  agent_->hear(reader_.histogram(Metric::ExchangeLatency, {"gmo", "ticker"}, 2, 20'000'000'000).message(),
               11);
  agent_->end_window(20);
  encoder_->begin_round();
  const auto metrics = next();
  const auto counts_of = [&](const char* name) {
    const Message point = read(one(read(one(metrics.at(name), kHistogram).bytes), 1).bytes);
    std::vector<std::uint64_t> counts;
    const std::string_view packed = one(point, 6).bytes;
    counts.resize(packed.size() / sizeof counts[0]);
    std::memcpy(counts.data(), packed.data(), packed.size());
    EXPECT_EQ(one(point, 4).value, std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    EXPECT_EQ(one(point, 7).bytes.size(), 8 * metrics::kLatencyBounds.size());
    EXPECT_EQ(counts.size(), metrics::kLatencyBounds.size() + 1);
    return counts;
  };
  EXPECT_EQ(counts_of("collector_publish_latency_seconds")[3], 3U);       // up to 1 ms
  EXPECT_EQ(counts_of("collector_exchange_latency_seconds").back(), 2U);  // beyond 10 s
}

TEST_F(OtlpEncodeTest, increments_are_only_of_what_counted_and_leave_with_the_request) {
  OtlpForm form;
  form.temporality = Temporality::Delta;
  make(form);
  encoder_->begin_round();
  auto metrics = next();
  EXPECT_EQ(metrics.count("collector_reconnects_total"), 0U);
  const Message sum = read(one(metrics.at("collector_messages_received_total"), kSum).bytes);
  EXPECT_EQ(one(sum, 2).value, 1U);  // delta
  EXPECT_EQ(one(read(one(sum, 1).bytes), 6).value, 10U);
  const Message cpu = read(one(read(one(metrics.at("process_cpu_seconds_total"), kSum).bytes), 1).bytes);
  EXPECT_EQ(number(one(cpu, 4)), 0.25);
  agent_->counts.confirm();
  agent_->end_window(20);
  encoder_->begin_round();
  metrics = next();
  EXPECT_EQ(metrics.count("collector_messages_received_total"), 0U);
  EXPECT_EQ(metrics.count("collector_connection_up"), 1U);
}

// Cut into requests of a few points, a round has each point once; one that is made again has the same.
TEST_F(OtlpEncodeTest, a_round_is_cut_into_requests_of_bounded_size) {
  OtlpForm form;
  form.points_max = 7;
  make(form);
  for (int i = 0; i < 100; ++i)
    reader_.counter(Metric::MessagesReceived, {"gmo", "ticker", std::to_string(i)}, 1);
  agent_->hear(reader_.message(), 11);
  agent_->end_window(20);
  encoder_->begin_round();
  std::size_t requests = 0, received = 0;
  while (!encoder_->is_done()) {
    const OtlpRequest first = encoder_->next_request();
    encoder_->step_back();
    const OtlpRequest request = encoder_->next_request();
    EXPECT_EQ(request.body, first.body);
    EXPECT_LE(request.points, 7U + 5U);  // a feed's states are not torn apart
    ++requests;
    const auto metrics = metrics_of(request);
    const auto found = metrics.find("collector_messages_received_total");
    if (found != metrics.end()) received += read(one(found->second, kSum).bytes).count(1);
  }
  EXPECT_EQ(received, 101U);
  EXPECT_GT(requests, 101U / 7);
}

TEST(OtlpMetric, no_unit_would_change_a_name_on_its_way_to_prometheus) {
  for (const metrics::MetricInfo& info : metrics::kCatalogue) {
    const std::string_view unit = otlp_unit(info), name = info.name;
    if (unit == "s") {
      EXPECT_NE(name.find("_seconds"), std::string_view::npos) << name;
    } else if (unit == "By") {
      EXPECT_NE(name.find("_bytes"), std::string_view::npos) << name;
    } else {
      EXPECT_TRUE(unit.empty() || (unit.front() == '{' && unit.back() == '}')) << name << unit;
    }
    const bool is_counter = info.kind == metrics::Kind::Counter;
    EXPECT_TRUE(!is_counter || name.substr(name.size() - 6) == "_total") << name;
  }
}

TEST(Gzip, is_what_gzip_writes) {
  const std::string packed = gzip(std::string(100'000, 'x'));
  EXPECT_LT(packed.size(), 500U);
  EXPECT_EQ(packed.substr(0, 3), std::string("\x1f\x8b\x08"));
  EXPECT_GT(gzip("").size(), 0U);
}

}  // namespace
}  // namespace mdpipe::agent
