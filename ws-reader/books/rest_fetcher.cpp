#include "ws-reader/books/rest_fetcher.hpp"

#include <fmt/format.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <map>

#include "libshared/process/exit_code.hpp"
#include "ws-reader/books/curl_library.hpp"
#include "ws-reader/books/rest_queue.hpp"
#include "ws-reader/request_pacer.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;

constexpr long kStatusOk = 200;

struct EasyDeleter {
  void operator()(CURL* easy) const { CurlLibrary::get().easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { CurlLibrary::get().multi_cleanup(multi); }
};

// A socket of libcurl's, watched by the loop. libcurl opens and closes it; we only let go of it.
struct Watched {
  explicit Watched(asio::io_context& io, curl_socket_t fd) : descriptor(io, fd) {}
  asio::posix::stream_descriptor descriptor;
  int wanted = 0;  // CURL_POLL_*
  bool reading = false, writing = false, gone = false;
};

class CurlFetcher final : public RestFetcher {
 public:
  CurlFetcher(asio::io_context& io, RestOptions options, RestHandlers handlers)
      : io_(io),
        options_(std::move(options)),
        handlers_(std::move(handlers)),
        pacer_(options_.interval, options_.pacing_file),
        pause_timer_(io),
        curl_timer_(io) {
    multi_.reset(curl_.multi_init());
    easy_.reset(curl_.easy_init());
    if (!multi_ || !easy_)
      throw process::StartupError{Error{ErrorKind::Internal, "libcurl cannot be set up"}};
    set_up_multi();
    set_up_easy();
  }

  ~CurlFetcher() override { stop(); }
  CurlFetcher(const CurlFetcher&) = delete;
  CurlFetcher& operator=(const CurlFetcher&) = delete;

  void request(std::string_view symbol) override {
    if (stopped_) return;
    if (!queue_.add(symbol)) {
      asio::post(io_, [this, refused = std::string(symbol)] { handlers_.on_refused(refused); });
      return;
    }
    schedule();
  }

  void stop() override {
    stopped_ = true;
    end_transfer();
    pause_timer_.cancel();
    curl_timer_.cancel();
  }

 private:
  template <typename Value>
  void set(CURLoption option, Value value) {
    curl_.easy_setopt(easy_.get(), option, value);
  }

  void set_up_multi() {
    curl_.multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &CurlFetcher::on_socket);
    curl_.multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_.multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &CurlFetcher::on_timer);
    curl_.multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  }

  void set_up_easy() {
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");  // as the WebSocket: no proxy of the environment
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_USERAGENT, "mdpipe");
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_WRITEFUNCTION, &CurlFetcher::on_bytes);
    set(CURLOPT_WRITEDATA, this);
  }

  // Starts the timer for the next request where one waits and none is on its way.
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
      if (is_backoff) return schedule();  // now for the pacer's slot
      start_transfer();
    });
  }

  void start_transfer() {
    const std::string& symbol = queue_.take();
    body_.clear();
    is_too_large_ = false;
    error_.front() = '\0';
    set(CURLOPT_URL, (options_.base_url + handlers_.target(symbol)).c_str());  // copied
    active_ = true;
    curl_.multi_add_handle(multi_.get(), easy_.get());  // asks for its timer, which starts the rest
  }

  void end_transfer() {
    if (active_) curl_.multi_remove_handle(multi_.get(), easy_.get());
    active_ = false;
  }

  // libcurl calls back from inside these; a finished transfer is looked for only once it has returned.
  void act(curl_socket_t fd, int what) {
    int running = 0;
    curl_.multi_socket_action(multi_.get(), fd, what, &running);
    int left = 0;
    while (const CURLMsg* message = curl_.multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      end_transfer();
      finish(code);
      break;  // there is one transfer only
    }
  }

  void finish(CURLcode code) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_.easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_.easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after);
    if (is_too_large_) return fail(fmt::format("a body of more than {} bytes", options_.body_bytes_max), 0);
    if (code != CURLE_OK) return fail(error_.front() != '\0' ? error_.data() : curl_.easy_strerror(code), 0);
    if (status != kStatusOk) return fail(fmt::format("the server answered HTTP {}", status), retry_after);
    // Taking it may ask for the next one, even of the same symbol.
    const std::string symbol = queue_.on_its_way();
    const std::string_view unusable = handlers_.take(symbol, body_);
    if (!unusable.empty()) return fail(std::string(unusable), 0);
    queue_.on_done();
    schedule();
  }

  void fail(const std::string& reason, curl_off_t retry_after) {
    const std::string symbol = queue_.on_its_way();
    const milliseconds retry = queue_.on_failed(steady_now(), std::chrono::seconds(retry_after));
    handlers_.on_error(symbol, reason, retry);
    schedule();
  }

  static std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& fetcher = *static_cast<CurlFetcher*>(self);
    if (fetcher.body_.size() + size * count > fetcher.options_.body_bytes_max) {
      fetcher.is_too_large_ = true;
      return 0;  // ends the transfer
    }
    fetcher.body_.append(bytes, size * count);
    return size * count;
  }

  static int on_timer(CURLM*, long timeout_ms, void* self) {
    auto& fetcher = *static_cast<CurlFetcher*>(self);
    if (timeout_ms < 0) {
      fetcher.curl_timer_.cancel();
      return 0;
    }
    fetcher.curl_timer_.expires_after(milliseconds(timeout_ms));
    fetcher.curl_timer_.async_wait([&fetcher](const asio::error_code& ec) {
      if (!ec) fetcher.act(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& fetcher = *static_cast<CurlFetcher*>(self);
    if (what == CURL_POLL_REMOVE) {
      fetcher.unwatch(fd);
      return 0;
    }
    auto& watched = fetcher.watched_[fd];
    if (!watched) watched = std::make_shared<Watched>(fetcher.io_, fd);
    watched->wanted = what;
    fetcher.wait_for(watched, fd);
    return 0;
  }

  void unwatch(curl_socket_t fd) {
    const auto found = watched_.find(fd);
    if (found == watched_.end()) return;
    found->second->gone = true;
    found->second->descriptor.release();
    watched_.erase(found);
  }

  void wait_for(const std::shared_ptr<Watched>& watched, curl_socket_t fd) {
    if ((watched->wanted & CURL_POLL_IN) != 0)
      wait_once(watched, fd, asio::posix::stream_descriptor::wait_read, &Watched::reading, CURL_CSELECT_IN);
    if ((watched->wanted & CURL_POLL_OUT) != 0)
      wait_once(watched, fd, asio::posix::stream_descriptor::wait_write, &Watched::writing, CURL_CSELECT_OUT);
  }

  void wait_once(const std::shared_ptr<Watched>& watched, curl_socket_t fd,
                 asio::posix::stream_descriptor::wait_type type, bool Watched::*busy, int event) {
    if ((*watched).*busy) return;
    (*watched).*busy = true;
    watched->descriptor.async_wait(type, [this, watched, fd, busy, event](const asio::error_code& ec) {
      (*watched).*busy = false;
      if (ec == asio::error::operation_aborted || watched->gone) return;
      act(fd, ec ? CURL_CSELECT_ERR : event);
      if (!watched->gone) wait_for(watched, fd);
    });
  }

  const CurlLibrary& curl_ = CurlLibrary::get();
  asio::io_context& io_;
  RestOptions options_;
  RestHandlers handlers_;
  RestQueue queue_;
  RequestPacer pacer_;
  asio::steady_timer pause_timer_, curl_timer_;
  bool scheduled_ = false, active_ = false, stopped_ = false, is_too_large_ = false;
  std::string body_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::map<curl_socket_t, std::shared_ptr<Watched>> watched_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;  // destroyed after its handle; calls back until it is gone
  std::unique_ptr<CURL, EasyDeleter> easy_;
};

}  // namespace

std::unique_ptr<RestFetcher> RestFetcher::make(asio::io_context& io, RestOptions options,
                                               RestHandlers handlers) {
  return std::make_unique<CurlFetcher>(io, std::move(options), std::move(handlers));
}

}  // namespace mdpipe::reader
