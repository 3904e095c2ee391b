#pragma once
// A small HTTP server for GET and HEAD of a few pages. CivetWeb's threads do the talking; the pages
// themselves are made in the program's loop, and only the finished text crosses over. CivetWeb stays out of
// this header.
#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mdpipe::agent {

struct Page {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpOptions {
  std::string address;
  std::int64_t port = 0;           // 0 takes a free one
  std::vector<std::string> paths;  // anything else is 404
};

class HttpServer {
 public:
  // `make_page` runs in `io`'s loop with one of the paths. Throws process::StartupError where the port cannot
  // be had.
  HttpServer(asio::io_context& io, const HttpOptions& options,
             std::function<Page(const std::string& path)> make_page);
  ~HttpServer();  // waits for CivetWeb's threads: up to 2 s where a client holds a connection open
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "gzip" with a quality above 0 in an Accept-Encoding header.
bool accepts_gzip(const std::string& accept_encoding);
// Empty where zlib refuses.
std::string gzip(const std::string& text);

}  // namespace mdpipe::agent
