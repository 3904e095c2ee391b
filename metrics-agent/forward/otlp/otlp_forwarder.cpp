#include "metrics-agent/forward/otlp/otlp_forwarder.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "mdpipe_version.hpp"
#include "metrics-agent/forward/gzip.hpp"

namespace mdpipe::agent {
namespace {

using Fate = OtlpVerdict::Fate;
using metrics::Metric;

// An answer has a few hundred bytes; an error page of a proxy, some thousand.
constexpr std::size_t kOtlpAnswerBytesMax = 64U << 10U;

std::string resource_host() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

OtlpForm form_of(const OtlpOptions& options, const std::string& instance) {
  OtlpForm form;
  form.temporality = options.temporality;
  form.histograms = options.histograms;
  form.version = kVersion;
  const std::string host = resource_host();
  form.resource = {{"service.name", options.service_name},
                   {"service.instance.id", host + ":" + instance},
                   {"service.version", std::string(kVersion)},
                   {"host.name", host}};
  for (const auto& [name, value] : options.attributes) {
    const auto same = [&name = name](const auto& one) { return one.first == name; };
    const auto known = std::find_if(form.resource.begin(), form.resource.end(), same);
    if (known != form.resource.end()) {
      known->second = value;
    } else {
      form.resource.emplace_back(name, value);
    }
  }
  return form;
}

http::ClientOptions client_options(const OtlpOptions& options) {
  http::ClientOptions out;
  out.ca_file = options.ca_file;
  out.timeout = options.timeout;
  out.connect_timeout = std::min(out.connect_timeout, options.timeout);
  out.answer_bytes_max = kOtlpAnswerBytesMax;
  return out;
}

}  // namespace

OtlpForwarder::OtlpForwarder(asio::io_context& io, const SnapshotStore& store, metrics::MetricsCollector& own,
                             const OtlpOptions& options, const std::string& instance,
                             std::function<void()> on_delivered)
    : store_(store),
      options_(options),
      on_delivered_(std::move(on_delivered)),
      counts_(options.temporality),
      encoder_(form_of(options, instance), store, counts_),
      timer_(io),
      own_(own),
      client_(io, client_options(options)) {
  // Created in advance, so that all are 0 before anything happens.
  accepted_ = own_.series(Metric::ForwardedPoints, {name()});
  for (const auto reason : otlp_reason::kErrors)
    errors_.emplace(reason, own_.series(Metric::ForwardErrors, {name(), reason}));
  for (const auto reason : otlp_reason::kDrops)
    drops_.emplace(reason, own_.series(Metric::ForwardDroppedPoints, {name(), reason}));
}

void OtlpForwarder::on_window(const Window& window) {
  counts_.add(store_, window, wall_now());
  passed_ += window.span;
  if (passed_ + window.span / 2 >= options_.interval) make_due();
}

void OtlpForwarder::finish() {
  if (passed_.count() > 0) make_due();
}

void OtlpForwarder::make_due() {
  passed_ = {};
  is_due_ = true;
  proceed();
}

void OtlpForwarder::proceed() {
  if (client_.is_busy() || is_waiting_) return;
  if (request_.points > 0 || make_request()) send();
}

// False if there is nothing to send until the next window.
bool OtlpForwarder::make_request() {
  while (true) {
    if (encoder_.is_done()) {
      end_round();
      if (!std::exchange(is_due_, false)) return false;
      encoder_.begin_round();
    }
    request_ = encoder_.next_request();
    if (request_.points == 0) continue;
    if (options_.is_compressed) request_.body = gzip(request_.body);
    retry_.begin_request();
    return true;
  }
}

void OtlpForwarder::end_round() {
  if (std::exchange(has_delivered_, false)) on_delivered_();
}

void OtlpForwarder::send() {
  http::Request request{http::Request::Method::Post, options_.url, options_.headers, request_.body};
  request.headers.emplace_back("Content-Type: application/x-protobuf");
  if (options_.is_compressed) request.headers.emplace_back("Content-Encoding: gzip");
  client_.send(std::move(request), [this](const http::Response& response) { on_answer(response); });
}

void OtlpForwarder::on_answer(const http::Response& response) {
  const OtlpVerdict verdict = judge(response, options_.headers);
  if (verdict.fate == Fate::Accepted) on_accepted(verdict);
  if (verdict.fate == Fate::Refused) on_refused(response, verdict);
  if (verdict.fate == Fate::Retry) on_failure(response, verdict);
  proceed();
}

void OtlpForwarder::on_accepted(const OtlpVerdict& verdict) {
  const std::uint64_t rejected = std::min<std::uint64_t>(verdict.rejected, request_.points);
  own_.add(accepted_, request_.points - rejected);
  if (rejected > 0) own_.add(drops_.at(otlp_reason::kRejected), rejected);
  if (verdict.reason == otlp_reason::kBadAnswer) own_.add(errors_.at(otlp_reason::kBadAnswer));
  if (const int failures = retry_.on_success(); failures > 0)
    log::info("the OpenTelemetry receiver accepts metrics again",
              {{"destination", name()}, {"failures", failures}});
  if (!verdict.reason.empty() || !verdict.message.empty()) {
    if (const auto suppressed = partial_limit_.admit(steady_now())) {
      log::write(rejected > 0 ? log::Level::Error : log::Level::Warn,
                 rejected > 0 ? "the OpenTelemetry receiver rejected points of a request; they are lost"
                              : "the OpenTelemetry receiver accepted a request and returned a message",
                 {{"destination", name()},
                  {"rejected", rejected},
                  {"points", request_.points},
                  {"reason", verdict.reason},
                  {"message", verdict.message},
                  {"suppressed", *suppressed}});
    }
  }
  finish_request();
}

void OtlpForwarder::on_refused(const http::Response& response, const OtlpVerdict& verdict) {
  own_.add(drops_.at(otlp_reason::kRefused), request_.points);
  retry_.on_success();  // the receiver is reachable, and waiting would not help
  if (const auto suppressed = refused_limit_.admit(steady_now())) {
    log::error(
        "the OpenTelemetry receiver refused a request; its points are lost. See --otlp-endpoint and "
        "--otlp-headers-file",
        {{"destination", name()},
         {"status", response.status},
         {"points", request_.points},
         {"message", verdict.message},
         {"suppressed", *suppressed}});
  }
  finish_request();
}

void OtlpForwarder::on_failure(const http::Response& response, const OtlpVerdict& verdict) {
  own_.add(errors_.at(verdict.reason));
  const double random = std::uniform_real_distribution<double>(0, 1)(random_);
  const auto delay = retry_.on_failure(response.retry_after, random);
  // A warning once for each outage; its end is logged too.
  log::write(retry_.failures() == 1 ? log::Level::Warn : log::Level::Debug,
             "cannot reach the OpenTelemetry receiver; counts are kept and sent later",
             {{"destination", name()},
              {"reason", verdict.reason},
              {"status", response.status},
              {"message", verdict.message},
              {"retry_ms", delay.count()}});
  if (options_.temporality == Temporality::Cumulative) {
    encoder_.step_back();
    request_ = {};
  } else if (retry_.gives_up()) {
    counts_.put_back();
    encoder_.end_round();
    request_ = {};
  }
  wait(delay);
}

void OtlpForwarder::finish_request() {
  counts_.confirm();
  request_ = {};
  has_delivered_ = options_.temporality == Temporality::Delta;
}

void OtlpForwarder::wait(std::chrono::milliseconds delay) {
  is_waiting_ = true;
  timer_.expires_after(delay);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    is_waiting_ = false;
    proceed();
  });
}

}  // namespace mdpipe::agent
