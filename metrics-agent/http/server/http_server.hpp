#pragma once
// A small HTTP server. CivetWeb's threads do the talking; answers are made in the program's loop, and only
// what is finished crosses over. A client that stalls holds one of the threads for some seconds, never the
// loop. CivetWeb stays out of this header.
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
  std::int64_t port = 0;                    // 0 takes a free one
  TlsCertificates* certificates = nullptr;  // none: plain HTTP
};

// What the server asks of the program.
struct HttpHooks {
  // Called in the server's threads, several at once; may take its time.
  std::function<BasicAuth::Verdict(std::string_view path, std::string_view authorization)> check;
  // Called in the loop.
  std::function<Answer(const Request&)> answer;
  std::function<void()> on_cut;  // a client did not read its answer in time
};

class HttpServer {
 public:
  // Throws process::StartupError where the port cannot be had, or not one thread.
  HttpServer(asio::io_context& io, const HttpOptions& options, HttpHooks hooks);
  ~HttpServer();  // waits for CivetWeb's threads: some 2 s where a client holds a connection open
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const;
  // As many clients as may stall at the same time; less than all where the process may not start so many.
  [[nodiscard]] std::size_t threads() const;
  [[nodiscard]] bool has_all_threads() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdpipe::agent
