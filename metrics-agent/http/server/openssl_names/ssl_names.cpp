// OpenSSL 3 under the names of OpenSSL 1.1, for CivetWeb. Debian 12's CivetWeb loads "libssl.so", which only
// libssl-dev has, and calls SSL_get_peer_certificate, which is SSL_get1_peer_certificate now: it crashes at
// the first client. This library has that name and that function, and loads libssl.so.3 for all others.
extern "C" {
struct ssl_st;
struct x509_st;
x509_st* SSL_get1_peer_certificate(const ssl_st* ssl);

[[gnu::visibility("default")]] x509_st* SSL_get_peer_certificate(const ssl_st* ssl) {
  return SSL_get1_peer_certificate(ssl);
}
}
