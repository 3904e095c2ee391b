#include "md-publisher/redis/tls_failure.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace mdpipe::publisher {
namespace {

// Verify results are below 1000, but so are some reasons; reasons are moved out of the way.
constexpr int kReasons = 10'000;

class TlsCategory : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int number) const override {
    if (number < kReasons)
      return fmt::format("the server's certificate is not accepted: {}",
                         X509_verify_cert_error_string(number));
    const char* const reason = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, number - kReasons));
    return fmt::format("TLS failed: {}", reason != nullptr ? reason : "the server said no more");
  }
};

std::string verify_remedy(int result, std::string_view host) {
  switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "The certificate is not for '{}': write a name that is in it in --redis-url, or in "
          "--redis-tls-server-name if a tunnel is between.",
          host);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "Renew the server's certificate, or its CA's; the host's clock may also be wrong.";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "The certificate is not valid yet: look at this host's clock.";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "Its CA is not known here: name the file with the CA's certificate in --redis-tls-ca-file.";
    default:
      return "Give the server a certificate that clients accept.";
  }
}

std::string reason_remedy(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
      return "This port does not speak TLS: name Redis's tls-port, or write redis:// for rediss://.";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "The server wants a certificate of its clients: name ours in --redis-tls-cert-file and "
             "--redis-tls-key-file.";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return "The server does not accept the certificate in --redis-tls-cert-file: let a CA that it knows "
             "sign it.";
    default:
      return "See the server's log and its tls- settings.";
  }
}

}  // namespace

const std::error_category& tls_category() {
  static const TlsCategory category;
  return category;
}

std::error_code tls_failure(long verified, unsigned long error) {
  if (verified != X509_V_OK) return {static_cast<int>(verified), tls_category()};
  return {kReasons + ERR_GET_REASON(error), tls_category()};
}

std::string tls_remedy(const std::error_code& failure, std::string_view host) {
  const int number = failure.value();
  return number < kReasons ? verify_remedy(number, host) : reason_remedy(number - kReasons);
}

}  // namespace mdpipe::publisher
