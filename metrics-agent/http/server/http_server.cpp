#include "metrics-agent/http/server/http_server.hpp"

#include <CivetServer.h>
#include <fmt/format.h>

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "libshared/process/exit_code.hpp"
#include "libshared/time/time.hpp"
#include "metrics-agent/http/server/block_signals.hpp"
#include "metrics-agent/http/server/startable_threads.hpp"

namespace mdpipe::agent {
namespace {

// A client that stalls occupies a thread, so there are many threads and short deadlines: a hundred clients
// that never send anything are served in two turns.
constexpr std::size_t kThreads = 64;
// Further threads: CivetWeb's own, the one that stops it, and two for libcurl, which resolves names in
// threads.
constexpr std::size_t kOtherThreads = 4;
constexpr int kQueuedConnections = 128;
constexpr int kHeadBytesMax = 8192;
constexpr std::chrono::milliseconds kNetworkDeadline{2000};  // a TLS handshake, a head, a piece of an answer
constexpr std::chrono::seconds kAnswerDeadline{5};           // the whole answer
constexpr std::chrono::milliseconds kLinger{500};  // for the last bytes of an answer as it is closed
constexpr std::chrono::seconds kLoopDeadline{2};
constexpr std::chrono::milliseconds kStopPoll{50};
constexpr std::size_t kPieceBytes = 16U
                                    << 10U;  // so slow is a client that reads less within kNetworkDeadline

void wake_acceptor(const std::string& address, int port) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  asio::error_code ec;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address), static_cast<unsigned short>(port));
  socket.open(endpoint.protocol(), ec);
  socket.non_blocking(true, ec);
  socket.connect(endpoint, ec);  // the result does not matter
}

// CivetWeb does not say why it could not bind, so bind once more and look at the error.
[[noreturn]] void fail_to_listen(const HttpOptions& options, const std::string& civetweb_says) {
  asio::io_context io;
  asio::error_code ec;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(options.address),
                                         static_cast<unsigned short>(options.port));
  asio::ip::tcp::acceptor probe(io);
  probe.open(endpoint.protocol(), ec);
  probe.set_option(asio::socket_base::reuse_address(true), ec);
  probe.bind(endpoint, ec);
  if (!ec) probe.listen(asio::socket_base::max_listen_connections, ec);
  throw process::StartupError{
      {ErrorKind::Unavailable,
       fmt::format("cannot serve HTTP on address {} port {}: {}; stop what listens "
                   "there or choose another --metrics-port "
                   "(0 chooses a free one) or --metrics-bind-address",
                   options.address, options.port, ec ? ec.message() : civetweb_says)}};
}

// If CivetWeb cannot start all threads, it still assigns clients to the missing ones, where they wait for
// ever. So it is configured with the number of threads that can be started.
std::size_t count_threads() {
  const BlockSignals blocked;
  const std::size_t room = startable_threads(kThreads + kOtherThreads);
  if (room > kOtherThreads) return room - kOtherThreads;
  throw process::StartupError{
      {ErrorKind::Unavailable,
       fmt::format(
           "cannot serve HTTP: only {} more threads may be started, and {} are needed at least; raise "
           "TasksMax= of the service or the user's limit of processes (ulimit -u)",
           room, kOtherThreads + 1)}};
}

std::string header(const mg_connection* connection, const char* name) {
  const char* const value = mg_get_header(connection, name);
  return value != nullptr ? value : "";
}

Request read_request(const mg_connection* connection) {
  const mg_request_info* const info = mg_get_request_info(connection);
  Request request;
  request.method = info->request_method;
  request.path = info->local_uri;
  request.accept = header(connection, "Accept");
  request.accept_encoding = header(connection, "Accept-Encoding");
  return request;
}

Request failed_request(int status) {
  Request request;
  request.failure = status;
  return request;
}

enum class Sent { Whole, Cut, Gone };

// In pieces, so that a slow client is noticed.
Sent write(mg_connection* connection, std::string_view text, SteadyTime deadline) {
  while (!text.empty()) {
    const auto began = steady_now();
    if (began >= deadline) return Sent::Cut;
    const std::string_view piece = text.substr(0, kPieceBytes);
    if (mg_write(connection, piece.data(), piece.size()) != static_cast<int>(piece.size()))
      return steady_now() - began >= kNetworkDeadline / 2 ? Sent::Cut : Sent::Gone;
    text.remove_prefix(piece.size());
  }
  return Sent::Whole;
}

Sent send_answer(mg_connection* connection, const Answer& answer, bool has_body) {
  const auto deadline = steady_now() + kAnswerDeadline;
  std::string head = head_of(answer);
  std::string_view body = has_body ? std::string_view(*answer.body) : std::string_view();
  const std::size_t beside_head = std::min(body.size(), kPieceBytes - std::min(head.size(), kPieceBytes));
  head += body.substr(0, beside_head);
  const Sent sent = write(connection, head, deadline);
  return sent == Sent::Whole ? write(connection, body.substr(beside_head), deadline) : sent;
}

}  // namespace

// Runs in CivetWeb's threads. What they share with the loop is the io_context (post is thread-safe), the
// callbacks, which never change, and the stop flag.
class HttpServer::Impl {
 public:
  Impl(asio::io_context& io, HttpOptions options, HttpCallbacks callbacks)
      : io_(io), options_(std::move(options)), callbacks_(std::move(callbacks)) {
    const BlockSignals blocked;
    const CivetCallbacks civet = make_civet_callbacks();
    try {
      server_ = std::make_unique<CivetServer>(settings(), &civet, this);
    } catch (const CivetException&) {
      fail_to_listen(options_, start_log_);
    }
  }

  // CivetWeb checks its stop flag every 2 s or when a client connects; so we connect while it closes.
  void stop() {
    is_stopping_ = true;
    const int own_port = port();
    std::promise<void> closed;
    const auto done = closed.get_future();
    std::thread closer;
    try {
      closer = std::thread([this, &closed] {
        server_->close();
        closed.set_value();
      });
    } catch (const std::system_error&) {  // no thread can be started
      server_->close();
      return;
    }
    while (done.wait_for(kStopPoll) != std::future_status::ready) wake_acceptor(options_.address, own_port);
    closer.join();
  }

  int port() { return server_->getListeningPorts().at(0); }
  [[nodiscard]] std::size_t threads() const { return threads_; }

 private:
  // A question to the loop is claimed once: by the loop, which then answers, or by the thread that gives up.
  struct Question {
    Request request;
    std::atomic<bool> is_claimed{false};
    std::promise<Answer> answer;
  };

  static Impl& of(const void* server) {
    return *static_cast<Impl*>(
        const_cast<void*>(static_cast<const CivetServer*>(server)->getUserContext()));  // NOLINT
  }
  static Impl& of(const mg_connection* connection) {
    return of(mg_get_user_data(mg_get_context(connection)));
  }

  static CivetCallbacks make_civet_callbacks() {
    CivetCallbacks callbacks;
    callbacks.begin_request = [](mg_connection* connection) { return of(connection).on_request(connection); };
    callbacks.http_error = [](mg_connection* connection, int status, const char*) {
      return of(connection).on_failure(connection, status);
    };
    callbacks.log_message = [](const mg_connection* connection, const char* message) {
      return of(connection).on_log(message);
    };
    callbacks.external_ssl_ctx = [](void** context, void* server) { return of(server).give_tls(context); };
    return callbacks;
  }

  std::vector<std::string> settings() const {
    const auto milliseconds = [](std::chrono::milliseconds time) { return std::to_string(time.count()); };
    return {
        "listening_ports",
        fmt::format("{}:{}{}", options_.address, options_.port, options_.certificates != nullptr ? "s" : ""),
        "num_threads",
        std::to_string(threads_),
        "connection_queue",
        std::to_string(kQueuedConnections),
        "max_request_size",
        std::to_string(kHeadBytesMax),
        "request_timeout_ms",
        milliseconds(kNetworkDeadline),
        "linger_timeout_ms",
        milliseconds(kLinger)};
  }

  // At its start and at its end: in both cases the context is ours.
  int give_tls(void** context) const {
    if (options_.certificates == nullptr) return 0;
    *context = options_.certificates->context();
    return 1;
  }

  // Later messages are about single clients, which are counted.
  int on_log(const char* message) {
    if (std::this_thread::get_id() == starter_) start_log_ = message;
    return 1;
  }

  int on_request(mg_connection* connection) {
    // Otherwise an unexpected body would be read for as long as the client sends.
    mg_disable_connection_keep_alive(connection);
    Request request = read_request(connection);
    request.verdict = callbacks_.check(request.path, header(connection, "Authorization"));
    const bool has_body = request.method != "HEAD";
    return respond(connection, ask_loop(std::move(request)), has_body);
  }

  // CivetWeb could not parse the request.
  int on_failure(mg_connection* connection, int status) {
    respond(connection, ask_loop(failed_request(status)), true);
    return 0;
  }

  int respond(mg_connection* connection, const Answer& answer, bool has_body) {
    if (send_answer(connection, answer, has_body) == Sent::Cut) asio::post(io_, callbacks_.on_cut);
    return answer.status;
  }

  Answer ask_loop(Request request) {
    const auto question = std::make_shared<Question>();
    question->request = std::move(request);
    auto answer = question->answer.get_future();
    asio::post(io_, [this, question] {
      if (question->is_claimed.exchange(true))
        callbacks_.answer(failed_request(503));  // is counted
      else
        question->answer.set_value(callbacks_.answer(question->request));
    });
    const auto deadline = steady_now() + kLoopDeadline;
    while (answer.wait_for(kStopPoll) != std::future_status::ready) {
      const bool is_late = is_stopping_ || steady_now() >= deadline;
      if (is_late && !question->is_claimed.exchange(true)) return text_answer(503, "metrics-agent is busy\n");
    }
    return answer.get();
  }

  asio::io_context& io_;
  const HttpOptions options_;
  const HttpCallbacks callbacks_;
  std::atomic<bool> is_stopping_{false};
  const std::size_t threads_ = count_threads();
  const std::thread::id starter_ = std::this_thread::get_id();
  std::string start_log_ = "the port was taken or may not be used";
  std::unique_ptr<CivetServer> server_;
};

HttpServer::HttpServer(asio::io_context& io, const HttpOptions& options, HttpCallbacks callbacks)
    : impl_(std::make_unique<Impl>(io, options, std::move(callbacks))) {}

HttpServer::~HttpServer() { impl_->stop(); }

int HttpServer::port() const { return impl_->port(); }

std::size_t HttpServer::threads() const { return impl_->threads(); }

bool HttpServer::has_all_threads() const { return threads() == kThreads; }

}  // namespace mdpipe::agent
