#include "metrics-agent/http/pages.hpp"

#include <fmt/format.h>

#include "metrics-agent/http/page/health.hpp"
#include "metrics-agent/store/intake.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kHealthPath = "/healthz";
// Components send once a second, so clients that ask within this time get the same page.
constexpr auto kSharedFor = std::chrono::seconds(1);

// The values of the label path.
std::string_view path_label(std::string_view path) {
  return path == kMetricsPath || path == kHealthPath ? path : "other";
}

}  // namespace

Pages::Pages(const SnapshotStore& store, metrics::MetricsCollector& own, PagesOptions options)
    : store_(store), own_(own), options_(options) {
  for (const std::string_view path : {kMetricsPath, kHealthPath})
    own_.series(Metric::HttpRequests, {path, "200"});  // exists as 0 before the first request
  own_.series(Metric::HttpAnswersCut, {});
}

bool Pages::is_protected(std::string_view path) { return path == kMetricsPath; }

Answer Pages::answer(const Request& request) {
  Answer answer = make_answer(request);
  own_.add(own_.series(Metric::HttpRequests, {path_label(request.path), std::to_string(answer.status)}));
  return answer;
}

void Pages::count_cut() { own_.add(own_.series(Metric::HttpAnswersCut, {})); }

Answer Pages::make_answer(const Request& request) {
  if (request.failure != 0) return text_answer(request.failure, "not a request that can be answered\n");
  if (!is_known(request.path)) return text_answer(404, "not found\n");
  if (request.method != "GET" && request.method != "HEAD")
    return text_answer(405, "only GET and HEAD\n", "Allow: GET, HEAD\r\n");
  if (request.path == kHealthPath) return health_answer();
  switch (request.verdict) {
    case BasicAuth::Verdict::Right:
      return metrics_answer(request);
    case BasicAuth::Verdict::Wrong:
      return text_answer(401, "a user and password, please\n",
                         "WWW-Authenticate: Basic realm=\"mdpipe metrics\", charset=\"UTF-8\"\r\n");
    case BasicAuth::Verdict::Busy:
      break;
  }
  return text_answer(503, "too many passwords to verify\n", "Retry-After: 1\r\n");
}

bool Pages::is_known(std::string_view path) const {
  return path == kHealthPath || (path == kMetricsPath && options_.has_metrics);
}

Answer Pages::metrics_answer(const Request& request) {
  const PageForm form{negotiate_format(request.accept), accepts_gzip(request.accept_encoding)};
  Answer answer;
  answer.content_type = content_type(form.format);
  answer.gzip = form.gzip;
  Shared& shared = shared_.at(2 * static_cast<std::size_t>(form.format) + (form.gzip ? 1 : 0));
  auto body = shared.body.lock();
  if (!body || steady_now() - shared.made > kSharedFor) {
    body = std::make_shared<const std::string>(make_exposition(store_, options_.profile, form));
    shared = {body, steady_now()};
  }
  answer.body = std::move(body);
  return answer;
}

Answer Pages::health_answer() const {
  const auto reasons =
      options_.has_metrics ? health_reasons(store_, kOwnComponent, wall_now()) : std::vector<std::string>();
  if (reasons.empty()) return text_answer(200, "ok\n");
  return text_answer(503, fmt::format("{}\n", fmt::join(reasons, "\n")));
}

}  // namespace mdpipe::agent
