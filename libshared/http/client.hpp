#pragma once
// HTTP requests inside the loop: one at a time, certificates verified, no proxy, no redirects. A thin shell
// over libcurl's multi interface, whose header stays in client.cpp. The caller decides when to send a request
// and what an answer means.
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
  std::size_t answer_bytes_max = 16U << 20U;  // the largest body that is received
};

class Client {
 public:
  using Done = std::function<void(const Response&)>;

  // Throws process::StartupError if libcurl cannot be loaded or set up.
  Client(asio::io_context& io, const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Call only if no request is pending. `done` is called from the loop, never inside this call, and may send
  // the next request.
  void send(Request request, Done done);
  [[nodiscard]] bool is_busy() const;
  // Cancels a pending request; its handler is not called.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdpipe::http
