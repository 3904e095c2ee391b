#pragma once
// HTTP requests inside the loop: one at a time, certificates verified, no proxy, no redirects. A thin shell
// over libcurl's multi interface, whose header stays in client.cpp; when to ask and what an answer means is
// the caller's to say.
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "libshared/http/message.hpp"

namespace mdpipe::http {

struct ClientOptions {
  std::string ca_file;  // empty: the system's certificate authorities
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};  // of a whole request
  std::size_t answer_bytes_max = 16U << 20U;  // of a body that is received
};

class Client {
 public:
  using Done = std::function<void(const Response&)>;

  // Throws process::StartupError where libcurl cannot be loaded or set up.
  Client(asio::io_context& io, const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // No request may be on its way. `done` is called from the loop, never inside of this call, and may send the
  // next one.
  void send(Request request, Done done);
  [[nodiscard]] bool is_busy() const;
  // Ends a request that is on its way; its handler is not called.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdpipe::http
