#pragma once
// Certificate and key of the HTTP server, checked when they are read: TLS 1.2 and later, with OpenSSL's
// default ciphers. They can be renewed while the server runs.
#include <memory>
#include <mutex>
#include <string>

#include "libshared/result/result.hpp"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;      // and SSL

namespace mdpipe::agent {

struct TlsFiles {
  std::string certificate, key;  // PEM; the certificate first, then its chain

  [[nodiscard]] bool empty() const { return certificate.empty() && key.empty(); }
};

using TlsContext = std::shared_ptr<ssl_ctx_st>;

// An error names the option whose file is wrong, and why.
Result<TlsContext> read_tls(const TlsFiles& files);

// What a server takes its connections' TLS from: one context for as long as it runs, in which each handshake
// gets the certificate and key of that moment. For any thread.
class TlsCertificates {
 public:
  explicit TlsCertificates(TlsContext current);
  TlsCertificates(const TlsCertificates&) = delete;
  TlsCertificates& operator=(const TlsCertificates&) = delete;

  [[nodiscard]] ssl_ctx_st* context() const { return context_.get(); }
  void replace(TlsContext next);

 private:
  static int choose(ssl_st* connection, void* self);

  TlsContext context_;
  std::mutex mutex_;  // of current_
  TlsContext current_;
};

}  // namespace mdpipe::agent
