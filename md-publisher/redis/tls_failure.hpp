#pragma once
// What went wrong in TLS, in words: as an error code like those of sockets, with what to do about it. Knows
// OpenSSL's numbers and nothing of sockets.
#include <string>
#include <string_view>
#include <system_error>

namespace mdpipe::publisher {

// Where the failure is one of TLS; the number is that of OpenSSL: a verify result (X509_V_ERR_...), or the
// reason of an error (SSL_R_...), which includes alerts of the server.
const std::error_category& tls_category();

// `verified` is SSL_get_verify_result; if that is good, `error` is what OpenSSL's error queue held.
std::error_code tls_failure(long verified, unsigned long error);

// What to do about it; `host` is what the certificate has to be for.
std::string tls_remedy(const std::error_code& failure, std::string_view host);

}  // namespace mdpipe::publisher
