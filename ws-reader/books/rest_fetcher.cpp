#include "ws-reader/books/rest_fetcher.hpp"

#include <fmt/format.h>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <utility>

#include "libshared/http/client.hpp"
#include "libshared/pacing/request_pacer.hpp"
#include "ws-reader/books/rest_queue.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;

http::ClientOptions client_options(const RestOptions& options) {
  return {options.ca_file, options.connect_timeout, options.timeout, options.body_bytes_max};
}

class HttpFetcher final : public RestFetcher {
 public:
  HttpFetcher(asio::io_context& io, RestOptions options, RestCallbacks callbacks)
      : io_(io),
        options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        pacer_(options_.interval, options_.pacing_file),
        pause_timer_(io),
        client_(io, client_options(options_)) {}

  void request(std::string_view symbol) override {
    if (stopped_) return;
    if (!queue_.add(symbol)) {
      asio::post(io_, [this, refused = std::string(symbol)] { callbacks_.on_queue_full(refused); });
      return;
    }
    schedule();
  }

  void forget(std::string_view symbol) override { queue_.remove(symbol); }

  void stop() override {
    stopped_ = true;
    client_.stop();
    pause_timer_.cancel();
  }

 private:
  // Starts the timer for the next request if one waits and none is under way.
  void schedule() {
    if (scheduled_ || stopped_) return;
    const auto wait = queue_.wait(steady_now());
    if (!wait) return;
    scheduled_ = true;
    pause_timer_.expires_after(std::max(*wait, wait->count() > 0 ? milliseconds(0) : pacer_.reserve()));
    const bool is_backoff = wait->count() > 0;
    pause_timer_.async_wait([this, is_backoff](const asio::error_code& ec) {
      scheduled_ = false;
      if (ec || stopped_) return;
      if (!queue_.wait(steady_now())) return;  // forgotten meanwhile
      if (is_backoff) return schedule();       // now for the pacer's slot
      send();
    });
  }

  void send() {
    http::Request request;
    request.url = options_.base_url + callbacks_.target(queue_.take());
    client_.send(std::move(request), [this](const http::Response& response) { finish(response); });
  }

  void finish(const http::Response& response) {
    if (!response.error.empty()) return fail(response.error, {});
    if (response.status != http::kStatusOk)
      return fail(fmt::format("the server answered HTTP {}", response.status), response.retry_after);
    // The callback may request the next book, even of the same symbol.
    const std::string symbol = queue_.on_its_way();
    const std::string_view unusable = callbacks_.on_body(symbol, response.body);
    if (!unusable.empty()) return fail(std::string(unusable), {});
    queue_.on_done();
    schedule();
  }

  void fail(const std::string& reason, std::chrono::seconds retry_after) {
    const std::string symbol = queue_.on_its_way();
    const milliseconds retry = queue_.on_failed(steady_now(), retry_after);
    callbacks_.on_error(symbol, reason, retry);
    schedule();
  }

  asio::io_context& io_;
  RestOptions options_;
  RestCallbacks callbacks_;
  RestQueue queue_;
  pacing::RequestPacer pacer_;
  asio::steady_timer pause_timer_;
  bool scheduled_ = false, stopped_ = false;
  http::Client client_;
};

}  // namespace

std::unique_ptr<RestFetcher> RestFetcher::make(asio::io_context& io, RestOptions options,
                                               RestCallbacks callbacks) {
  return std::make_unique<HttpFetcher>(io, std::move(options), std::move(callbacks));
}

}  // namespace mdpipe::reader
