#include "libshared/http/client.hpp"

#include <fmt/format.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cassert>
#include <map>
#include <utility>

#include "libshared/http/curl_library.hpp"
#include "libshared/process/exit_code.hpp"

namespace mdpipe::http {
namespace {

using std::chrono::milliseconds;

struct EasyDeleter {
  void operator()(CURL* easy) const { CurlLibrary::get().easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { CurlLibrary::get().multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { CurlLibrary::get().slist_free_all(list); }
};

// A socket of libcurl's, watched by the loop. libcurl opens and closes it; we only release it.
struct Watched {
  explicit Watched(asio::io_context& io, curl_socket_t fd) : descriptor(io, fd) {}
  asio::posix::stream_descriptor descriptor;
  int wanted = 0;  // CURL_POLL_*
  bool reading = false, writing = false, gone = false;
};

}  // namespace

class Client::Impl {
 public:
  Impl(asio::io_context& io, const ClientOptions& options) : io_(io), options_(options), curl_timer_(io) {
    multi_.reset(curl_.multi_init());
    easy_.reset(curl_.easy_init());
    if (!multi_ || !easy_)
      throw process::StartupError{Error{ErrorKind::Internal, "libcurl cannot be set up"}};
    set_up_multi();
    set_up_easy();
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void send(Request request, Done done) {
    assert(!active_);
    request_ = std::move(request);
    done_ = std::move(done);
    body_.clear();
    is_too_large_ = false;
    error_.front() = '\0';
    set(CURLOPT_URL, request_.url.c_str());
    set_headers();
    if (request_.method == Request::Method::Post) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      set(CURLOPT_POSTFIELDS, request_.body.data());  // borrowed
    } else {
      set(CURLOPT_HTTPGET, 1L);
    }
    active_ = true;
    curl_.multi_add_handle(multi_.get(),
                           easy_.get());  // libcurl then sets its timer, which starts the transfer
  }

  [[nodiscard]] bool is_busy() const { return active_; }

  void stop() {
    end_transfer();
    curl_timer_.cancel();
  }

 private:
  template <typename Value>
  void set(CURLoption option, Value value) {
    curl_.easy_setopt(easy_.get(), option, value);
  }

  void set_up_multi() {
    curl_.multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Impl::on_socket);
    curl_.multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_.multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Impl::on_timer);
    curl_.multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  }

  void set_up_easy() {
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");  // no proxy from the environment, as for the WebSocket
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_USERAGENT, "mdpipe");
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_WRITEFUNCTION, &Impl::on_bytes);
    set(CURLOPT_WRITEDATA, this);
  }

  void set_headers() {
    curl_slist* list = nullptr;
    for (const std::string& header : request_.headers) list = curl_.slist_append(list, header.c_str());
    // The body is sent at once: waiting for 100-continue would delay every request that is accepted.
    if (request_.method == Request::Method::Post) list = curl_.slist_append(list, "Expect:");
    set(CURLOPT_HTTPHEADER, list);
    headers_.reset(list);
  }

  void end_transfer() {
    if (active_) curl_.multi_remove_handle(multi_.get(), easy_.get());
    active_ = false;
  }

  // libcurl calls back from inside these, so look for a finished transfer only after they have returned.
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
    Response response;
    long status = 0;
    curl_off_t retry_after = 0;
    curl_.easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_.easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after);
    if (is_too_large_) {
      response.failure = Response::Failure::TooLarge;
      response.status = static_cast<int>(status);
      response.error = fmt::format("a body of more than {} bytes", options_.answer_bytes_max);
    } else if (code != CURLE_OK) {
      response.failure =
          code == CURLE_OPERATION_TIMEDOUT ? Response::Failure::TimedOut : Response::Failure::Other;
      response.error = error_.front() != '\0' ? error_.data() : curl_.easy_strerror(code);
    } else {
      const char* content_type = nullptr;  // libcurl's, until the next request
      curl_.easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &content_type);
      if (content_type != nullptr) response.content_type = content_type;
      response.status = static_cast<int>(status);
      response.retry_after = std::chrono::seconds(retry_after);
      response.body = body_;
    }
    const Done done = std::exchange(done_, nullptr);  // it may send the next one
    done(response);
  }

  static std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& client = *static_cast<Impl*>(self);
    if (client.body_.size() + size * count > client.options_.answer_bytes_max) {
      client.is_too_large_ = true;
      return 0;  // ends the transfer
    }
    client.body_.append(bytes, size * count);
    return size * count;
  }

  static int on_timer(CURLM*, long timeout_ms, void* self) {
    auto& client = *static_cast<Impl*>(self);
    if (timeout_ms < 0) {
      client.curl_timer_.cancel();
      return 0;
    }
    client.curl_timer_.expires_after(milliseconds(timeout_ms));
    client.curl_timer_.async_wait([&client](const asio::error_code& ec) {
      if (!ec) client.act(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& client = *static_cast<Impl*>(self);
    if (what == CURL_POLL_REMOVE) {
      client.unwatch(fd);
      return 0;
    }
    auto& watched = client.watched_[fd];
    if (!watched) watched = std::make_shared<Watched>(client.io_, fd);
    watched->wanted = what;
    client.wait_for(watched, fd);
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
  ClientOptions options_;
  asio::steady_timer curl_timer_;
  bool active_ = false, is_too_large_ = false;
  Request request_;
  Done done_;
  std::string body_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::map<curl_socket_t, std::shared_ptr<Watched>> watched_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;  // destroyed after its handle; calls back until it is gone
  std::unique_ptr<CURL, EasyDeleter> easy_;
};

Client::Client(asio::io_context& io, const ClientOptions& options)
    : impl_(std::make_unique<Impl>(io, options)) {}
Client::~Client() = default;
void Client::send(Request request, Done done) { impl_->send(std::move(request), std::move(done)); }
bool Client::is_busy() const { return impl_->is_busy(); }
void Client::stop() { impl_->stop(); }

}  // namespace mdpipe::http
