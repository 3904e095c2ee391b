#pragma once
// A small HTTP server. CivetWeb's threads talk to the clients; answers are made in the program's loop and
// handed to a thread when they are finished. A client that stalls occupies one of the threads for some
// seconds, never the loop. CivetWeb is not visible in this header.
#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "metrics-agent/http/server/answer.hpp"
#include "metrics-agent/http/server/request.hpp"
#include "metrics-agent/http/server/tls_context.hpp"

namespace mdpipe::agent {

struct HttpOptions {
  std::string address;
  std::int64_t port = 0;                    // 0: a free one
  TlsCertificates* certificates = nullptr;  // null: plain HTTP
};

// The program's part of the server.
struct HttpCallbacks {
  // Called in the server's threads, several at once; may be slow.
  std::function<BasicAuth::Verdict(std::string_view path, std::string_view authorization)> check;
  // Called in the loop.
  std::function<Answer(const Request&)> answer;
  std::function<void()> on_cut;  // a client did not read its answer in time
};

class HttpServer {
 public:
  // Throws process::StartupError if the port cannot be opened or no thread can be started.
  HttpServer(asio::io_context& io, const HttpOptions& options, HttpCallbacks callbacks);
  ~HttpServer();  // waits for CivetWeb's threads: about 2 s if a client holds a connection open
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const;
  // The number of clients that can stall at the same time; smaller if the process may not start as many
  // threads.
  [[nodiscard]] std::size_t threads() const;
  [[nodiscard]] bool has_all_threads() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdpipe::agent
