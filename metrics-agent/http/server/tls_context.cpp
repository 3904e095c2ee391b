#include "metrics-agent/http/server/tls_context.hpp"

#include <fmt/format.h>

#include <utility>

#include "metrics-agent/http/server/openssl_library.hpp"

namespace mdpipe::agent {
namespace {

Error bad_tls_file(const OpenSslLibrary& openssl, std::string_view option, const std::string& path) {
  const char* const why = openssl.reason(openssl.peek_error());
  openssl.clear_error();
  return {ErrorKind::BadConfig, fmt::format("--{} '{}': {}; expected a PEM file", option, path,
                                            why != nullptr ? why : "it cannot be read")};
}

// Empty if OpenSSL has none.
TlsContext make_context() {
  const OpenSslLibrary& openssl = OpenSslLibrary::get();
  TlsContext context(openssl.ctx_new(openssl.server_method()), [&openssl](SSL_CTX* ended) {
    if (ended != nullptr) openssl.ctx_free(ended);
  });
  if (!context) return context;
  openssl.ctx_ctrl(context.get(), SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
  openssl.ctx_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A write may be partial and be repeated from another buffer; idle connections free their buffers.
  openssl.ctx_ctrl(
      context.get(), SSL_CTRL_MODE,
      SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
      nullptr);
  return context;
}

}  // namespace

Result<TlsContext> read_tls(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return Error{ErrorKind::BadConfig,
                 "--metrics-tls-cert-file and --metrics-tls-key-file belong together; give both or neither"};
  }
  const OpenSslLibrary& openssl = OpenSslLibrary::get();
  TlsContext context = make_context();
  if (!context) return Error{ErrorKind::Internal, "OpenSSL gives no TLS context"};
  openssl.clear_error();
  if (openssl.ctx_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
    return bad_tls_file(openssl, "metrics-tls-cert-file", files.certificate);
  // A key that does not belong to the certificate is refused here too.
  if (openssl.ctx_use_private_key_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return bad_tls_file(openssl, "metrics-tls-key-file", files.key);
  return context;
}

TlsCertificates::TlsCertificates(TlsContext current)
    : context_(make_context()), current_(std::move(current)) {
  if (context_) OpenSslLibrary::get().ctx_set_cert_cb(context_.get(), choose, this);
}

void TlsCertificates::replace(TlsContext next) {
  const std::lock_guard lock(mutex_);
  current_ = std::move(next);
}

// In a handshake, as soon as a certificate is needed.
int TlsCertificates::choose(ssl_st* connection, void* self) {
  auto& certificates = *static_cast<TlsCertificates*>(self);
  const std::lock_guard lock(certificates.mutex_);
  return OpenSslLibrary::get().set_ctx(connection, certificates.current_.get()) != nullptr ? 1 : 0;
}

}  // namespace mdpipe::agent
