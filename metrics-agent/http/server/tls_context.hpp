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

// The TLS context of a server: the same one as long as the server runs; each handshake gets the present
// certificate and key. Can be used by any thread.
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
  std::mutex mutex_;  // guards current_
  TlsContext current_;
};

}  // namespace mdpipe::agent
