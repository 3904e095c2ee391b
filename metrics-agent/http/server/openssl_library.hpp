#pragma once
// The functions of OpenSSL for certificate and key. The library is loaded when TLS is switched on, not with
// the program, because it needs 2 MB of resident memory and most agents serve on loopback. CivetWeb then
// finds the same library.
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace mdpipe::agent {

struct OpenSslLibrary {
  decltype(&TLS_server_method) server_method;
  decltype(&SSL_CTX_new) ctx_new;
  decltype(&SSL_CTX_free) ctx_free;
  decltype(&SSL_CTX_ctrl) ctx_ctrl;
  decltype(&SSL_CTX_set_options) ctx_set_options;
  decltype(&SSL_CTX_set_cert_cb) ctx_set_cert_cb;
  decltype(&SSL_CTX_use_certificate_chain_file) ctx_use_certificate_chain_file;
  decltype(&SSL_CTX_use_PrivateKey_file) ctx_use_private_key_file;
  decltype(&SSL_set_SSL_CTX) set_ctx;
  decltype(&ERR_clear_error) clear_error;
  decltype(&ERR_peek_error) peek_error;
  decltype(&ERR_reason_error_string) reason;

  // Stays loaded. Throws process::StartupError if the library is missing.
  static const OpenSslLibrary& get();
};

}  // namespace mdpipe::agent
