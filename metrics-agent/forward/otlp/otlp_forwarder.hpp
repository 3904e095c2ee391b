#pragma once
// Sends metrics by OTLP/HTTP: a round over all series once an interval, at the end of a window, one request
// at a time. Only the shell: OtlpCounts, OtlpEncoder, judge() and OtlpRetry decide what is counted, how it is
// encoded, what an answer means and when to try again.
//
// No counts are lost in an outage. Totals are sent again with newer values. A request with increments is
// repeated unchanged; after OtlpRetry::kAttemptsMax attempts its counts are sent with the next round.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libshared/http/client.hpp"
#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "metrics-agent/forward/otlp/otlp_answer.hpp"
#include "metrics-agent/forward/otlp/otlp_config.hpp"
#include "metrics-agent/forward/otlp/otlp_counts.hpp"
#include "metrics-agent/forward/otlp/otlp_encode.hpp"
#include "metrics-agent/forward/otlp/otlp_retry.hpp"
#include "metrics-agent/window/forwarder.hpp"

namespace mdpipe::agent {

class OtlpForwarder final : public Forwarder {
 public:
  // Borrows the store and the collector. `on_delivered` is called at the end of a round in which
  // increments were accepted, so that they are not sent again after a restart. `instance` is
  // service.instance.id.
  OtlpForwarder(asio::io_context& io, const SnapshotStore& store, metrics::MetricsCollector& own,
                const OtlpOptions& options, const std::string& instance, std::function<void()> on_delivered);

  [[nodiscard]] std::string_view name() const override { return "otlp"; }
  void on_window(const Window& window) override;
  void finish() override;
  [[nodiscard]] std::optional<metrics::Delta> state() const override { return counts_.state(name()); }
  void restore(const metrics::Delta& state) override { counts_.restore(state); }
  [[nodiscard]] bool is_idle() const override { return !client_.is_busy(); }

 private:
  void make_due();
  void proceed();
  bool make_request();
  void end_round();
  void send();
  void on_answer(const http::Response& response);
  void on_accepted(const OtlpVerdict& verdict);
  void on_refused(const http::Response& response, const OtlpVerdict& verdict);
  void on_failure(const http::Response& response, const OtlpVerdict& verdict);
  void finish_request();
  void wait(std::chrono::milliseconds delay);

  const SnapshotStore& store_;
  OtlpOptions options_;
  std::function<void()> on_delivered_;
  OtlpCounts counts_;
  OtlpEncoder encoder_;
  OtlpRetry retry_;
  OtlpRequest request_;  // being sent or waiting to be sent again; without points there is none
  // Time since a round was due; the first window is sent, so that a wrong configuration is noticed soon.
  std::chrono::nanoseconds passed_ = std::chrono::hours(1);
  bool is_due_ = false;
  bool has_delivered_ = false;  // increments, since the state was saved
  bool is_waiting_ = false;
  asio::steady_timer timer_;
  std::minstd_rand random_{std::random_device{}()};
  log::RateLimit refused_limit_{std::chrono::minutes(1)}, partial_limit_{std::chrono::minutes(1)};

  // Its metrics.
  metrics::MetricsCollector& own_;
  metrics::Series accepted_;
  std::unordered_map<std::string_view, metrics::Series> errors_, drops_;  // by reason

  http::Client client_;  // last: its handlers use all of the above
};

}  // namespace mdpipe::agent
