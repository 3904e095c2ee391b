#include "metrics-agent/http/http_server.hpp"

#include <CivetServer.h>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>
#include <utility>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::agent {
namespace {

constexpr auto kPageDeadline = std::chrono::seconds(2);
constexpr auto kStopPoll = std::chrono::milliseconds(50);
constexpr std::size_t kOneWriteBytesMax = 4096;  // a small page goes out in one segment with its head
constexpr std::size_t kGzipStepBytes = 64U << 10U;
constexpr std::size_t kGzipBytesMin = 256;  // below, the header costs more than it saves

const char* status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

// New threads inherit the mask, so that signals reach the loop's thread only.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_{};
};

void knock(const std::string& address, int port) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  asio::error_code ec;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address), static_cast<unsigned short>(port));
  socket.open(endpoint.protocol(), ec);
  socket.non_blocking(true, ec);
  socket.connect(endpoint, ec);  // whether it is taken does not matter
}

// CivetWeb does not say why it could not bind, so ask the kernel the same question.
[[noreturn]] void fail_to_listen(const HttpOptions& options) {
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
      {ErrorKind::Unavailable, fmt::format("cannot serve HTTP on address {} port {}: {}; stop what listens "
                                           "there or choose another --metrics-port "
                                           "(0 takes a free one) or --metrics-bind-address",
                                           options.address, options.port,
                                           ec ? ec.message() : "the port was taken or may not be used")}};
}

}  // namespace

bool accepts_gzip(const std::string& accept_encoding) {
  std::string text;
  for (const char c : accept_encoding) {
    if (c != ' ') text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    if (item == "gzip" || item == "x-gzip") return true;
    if (item.rfind("gzip;q=", 0) == 0) return std::strtod(item.c_str() + std::strlen("gzip;q="), nullptr) > 0;
  }
  return false;
}

std::string gzip(const std::string& text) {
  constexpr int kGzipWindow = 15 + 16;
  z_stream stream{};
  // Level 1: a scrape is read once, by a peer that is near.
  if (deflateInit2(&stream, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // NOLINT: zlib reads only
  stream.avail_in = static_cast<uInt>(text.size());
  // Grown as needed: it comes to a tenth of the text, and the bound for the worst case to all of it.
  int result = Z_OK;
  while (result == Z_OK || result == Z_BUF_ERROR) {
    out.resize(out.size() + kGzipStepBytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data()) + stream.total_out;
    stream.avail_out = static_cast<uInt>(out.size() - stream.total_out);
    result = deflate(&stream, Z_FINISH);
  }
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return result == Z_STREAM_END ? out : std::string();
}

// Runs in CivetWeb's threads. What they share with the loop is the io_context (post is thread-safe), the
// options, which nobody writes, and the stop flag.
class HttpServer::Impl : public CivetHandler {
 public:
  Impl(asio::io_context& io, HttpOptions options, std::function<Page(const std::string&)> make_page)
      : io_(io), options_(std::move(options)), make_page_(std::move(make_page)) {
    const BlockSignals blocked;
    const std::vector<std::string> settings = {
        "listening_ports",    fmt::format("{}:{}", options_.address, options_.port),
        "num_threads",        "4",
        "request_timeout_ms", "5000",
        "linger_timeout_ms",  "500",
        "connection_queue",   "16"};
    try {
      server_ = std::make_unique<CivetServer>(settings);
    } catch (const CivetException&) {
      fail_to_listen(options_);
    }
    server_->addHandler("**", this);
  }

  // CivetWeb looks at its stop flag every 2 s, or when somebody connects: so while it closes, we do.
  void stop() {
    stopping_ = true;
    const int own_port = port();
    std::promise<void> closed;
    const auto done = closed.get_future();
    std::thread closer([this, &closed] {
      server_->close();
      closed.set_value();
    });
    while (done.wait_for(kStopPoll) != std::future_status::ready) knock(options_.address, own_port);
    closer.join();
  }

  int port() { return server_->getListeningPorts().at(0); }

  using CivetHandler::handleDelete;
  using CivetHandler::handleGet;
  using CivetHandler::handleHead;
  using CivetHandler::handleOptions;
  using CivetHandler::handlePatch;
  using CivetHandler::handlePost;
  using CivetHandler::handlePut;
  bool handleGet(CivetServer*, mg_connection* connection) override { return answer(connection, true); }
  bool handleHead(CivetServer*, mg_connection* connection) override { return answer(connection, false); }
  bool handlePost(CivetServer*, mg_connection* connection) override { return refuse(connection); }
  bool handlePut(CivetServer*, mg_connection* connection) override { return refuse(connection); }
  bool handleDelete(CivetServer*, mg_connection* connection) override { return refuse(connection); }
  bool handleOptions(CivetServer*, mg_connection* connection) override { return refuse(connection); }
  bool handlePatch(CivetServer*, mg_connection* connection) override { return refuse(connection); }

 private:
  bool is_known(mg_connection* connection) const {
    const std::string path = mg_get_request_info(connection)->local_uri;
    return std::find(options_.paths.begin(), options_.paths.end(), path) != options_.paths.end();
  }

  bool answer(mg_connection* connection, bool with_body) {
    if (!is_known(connection)) return send(connection, {404, {}, "not found\n"}, "", with_body);
    return send(connection, ask_loop(mg_get_request_info(connection)->local_uri), "", with_body);
  }

  bool refuse(mg_connection* connection) {
    if (!is_known(connection)) return send(connection, {404, {}, "not found\n"}, "", true);
    return send(connection, {405, {}, "only GET and HEAD\n"}, "Allow: GET, HEAD\r\n", true);
  }

  Page ask_loop(const std::string& path) {
    const auto promise = std::make_shared<std::promise<Page>>();
    auto page = promise->get_future();
    asio::post(io_, [this, promise, path] { promise->set_value(make_page_(path)); });
    const auto deadline = std::chrono::steady_clock::now() + kPageDeadline;
    while (page.wait_for(kStopPoll) != std::future_status::ready) {
      if (stopping_ || std::chrono::steady_clock::now() >= deadline)
        return {503, {}, "metrics-agent is busy\n"};
    }
    return page.get();
  }

  static bool send(mg_connection* connection, Page page, const char* headers, bool with_body) {
    std::string head = headers;
    const char* accepted = mg_get_header(connection, "Accept-Encoding");
    if (accepted != nullptr && page.body.size() >= kGzipBytesMin && accepts_gzip(accepted)) {
      if (std::string packed = gzip(page.body); !packed.empty()) {
        page.body = std::move(packed);
        head += "Content-Encoding: gzip\r\n";
      }
    }
    const std::string type = page.content_type.empty() ? Page().content_type : page.content_type;
    head = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
        "Vary: Accept-Encoding\r\nConnection: close\r\n{}\r\n",
        page.status, status_text(page.status), type, page.body.size(), head);
    if (with_body && page.body.size() < kOneWriteBytesMax) head += std::exchange(page.body, {});
    mg_write(connection, head.data(), head.size());
    if (with_body) mg_write(connection, page.body.data(), page.body.size());
    return true;
  }

  asio::io_context& io_;
  const HttpOptions options_;
  const std::function<Page(const std::string&)> make_page_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<CivetServer> server_;
};

HttpServer::HttpServer(asio::io_context& io, const HttpOptions& options,
                       std::function<Page(const std::string& path)> make_page)
    : impl_(std::make_unique<Impl>(io, options, std::move(make_page))) {}

HttpServer::~HttpServer() { impl_->stop(); }

int HttpServer::port() const { return impl_->port(); }

}  // namespace mdpipe::agent
