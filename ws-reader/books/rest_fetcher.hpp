#pragma once
// Fetches order books over HTTP inside the loop: one at a time, paced. RestQueue decides which symbol is
// next; the receiver interprets the body.
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libshared/time/time.hpp"

namespace mdpipe::reader {

struct RestOptions {
  std::string base_url;  // scheme and host: "https://api.binance.com"
  std::string ca_file;   // empty: the system's certificate authorities
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};  // of a whole request
  std::chrono::milliseconds interval{0};      // least time between two requests ...
  std::string pacing_file;                    // ... of all readers of this host that share this file
  std::size_t body_bytes_max = 16U << 20U;    // a book of 5,000 levels has some 300 KB
};

struct RestCallbacks {
  // The path and query for a symbol.
  std::function<std::string(std::string_view symbol)> target;
  // A body was received with status 200. Returns an empty text, or why the body cannot be used.
  std::function<std::string_view(std::string_view symbol, std::string_view body)> on_body;
  // The request will be repeated in `retry`.
  std::function<void(std::string_view symbol, std::string_view reason, std::chrono::milliseconds retry)>
      on_error;
  std::function<void(std::string_view symbol)> on_queue_full;  // the queue is full; called from the loop
};

class RestFetcher {
 public:
  virtual ~RestFetcher() = default;

  // Requests a symbol's book and repeats after failures until it was fetched. Calls no callback itself.
  virtual void request(std::string_view symbol) = 0;
  // Cancels a request, also one that waits to be repeated. A body that was already requested may still
  // arrive.
  virtual void forget(std::string_view symbol) = 0;
  virtual void stop() = 0;

  // Throws process::StartupError if libcurl cannot be set up.
  static std::unique_ptr<RestFetcher> make(asio::io_context& io, RestOptions options,
                                           RestCallbacks callbacks);
};

}  // namespace mdpipe::reader
