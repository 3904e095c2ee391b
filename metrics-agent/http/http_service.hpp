#pragma once
// Serves the pages over HTTP, with the passwords and the certificate that are configured. Runs in the
// program's loop.
#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "metrics-agent/http/pages.hpp"
#include "metrics-agent/http/server/basic_auth.hpp"
#include "metrics-agent/http/server/http_server.hpp"
#include "metrics-agent/http/server/tls_context.hpp"

namespace mdpipe::agent {

struct HttpServiceOptions {
  std::string address;  // IPv4
  std::int64_t port = 0;
  std::string port_file;        // empty: none is written
  std::string basic_auth_file;  // empty: no password
  TlsFiles tls;                 // empty: plain HTTP
  PagesOptions pages;
};

class HttpService {
 public:
  // Borrows the store and the collector. Throws process::StartupError if a file cannot be read or the port
  // cannot be opened.
  HttpService(asio::io_context& io, const SnapshotStore& store, metrics::MetricsCollector& own,
              HttpServiceOptions options);

  // Passwords, certificate and key may have changed. A file that cannot be read leaves them as they are.
  void reload_files();

 private:
  HttpCallbacks callbacks();
  void log_start() const;

  HttpServiceOptions options_;
  std::unique_ptr<BasicAuth> passwords_;           // null if none are required
  std::unique_ptr<TlsCertificates> certificates_;  // null for plain HTTP
  Pages pages_;
  HttpServer server_;  // last: its threads use all of the above
};

}  // namespace mdpipe::agent
