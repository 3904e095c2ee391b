#include "md-publisher/redis/tls_stream.hpp"

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include <asio/ip/tcp.hpp>
#include <asio/ssl.hpp>
#include <asio/write.hpp>
#include <optional>
#include <utility>

#include "md-publisher/redis/tls_failure.hpp"

namespace mdpipe::publisher {
namespace {

using Context = asio::ssl::context;
using asio::generic::stream_protocol;

// What the server's certificate has to be for.
const std::string& certificate_name(const RedisAddress& address) {
  return address.tls.server_name.empty() ? address.host : address.tls.server_name;
}

// The option of the file that could not be used; empty if all were.
std::string_view load_files(const TlsFiles& files, Context& context, asio::error_code& ec) {
  if (files.ca.empty()) {
    context.set_default_verify_paths(ec);
  } else {
    context.load_verify_file(files.ca, ec);
  }
  if (ec) return "redis-tls-ca-file";
  if (files.cert.empty()) return {};
  context.use_certificate_chain_file(files.cert, ec);
  if (ec) return "redis-tls-cert-file";
  context.use_private_key_file(files.key, Context::pem, ec);
  if (ec) return "redis-tls-key-file";
  return {};
}

Context make_context() {
  Context context(Context::tls_client);
  context.set_options(Context::default_workarounds | Context::no_tlsv1 | Context::no_tlsv1_1);
  context.set_verify_mode(asio::ssl::verify_peer);
  return context;
}

struct TlsState {
  TlsState(asio::io_context& io, const RedisAddress& address) : context(make_context()) {
    load_files(address.tls, context, unusable);
    stream.emplace(io, context);
    if (!unusable && !expect_host(certificate_name(address))) unusable = asio::error::invalid_argument;
  }
  Context context;
  asio::error_code unusable;  // a file that was good at the start
  std::optional<asio::ssl::stream<stream_protocol::socket>> stream;
  bool closed = false;

  // An error as the handlers get it.
  std::error_code translate(const asio::error_code& ec) {
    if (ec.category() != asio::error::get_ssl_category()) return ec;
    return tls_failure(SSL_get_verify_result(stream->native_handle()),
                       static_cast<unsigned long>(ec.value()));
  }

  // SNI, and the name that the certificate must be for. An address has no SNI (RFC 6066, section 3).
  bool expect_host(const std::string& host) {
    SSL* ssl = stream->native_handle();
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    asio::error_code no_address;
    asio::ip::make_address(host, no_address);
    if (!no_address) return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(host.c_str())) == 1 &&
           X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), 0) == 1;
  }
};

// Handlers keep the state alive and are silent once the stream was closed.
class TlsStream final : public ByteStream {
 public:
  TlsStream(asio::io_context& io, const RedisAddress& address)
      : state_(std::make_shared<TlsState>(io, address)) {}
  ~TlsStream() override { TlsStream::close(); }

  void connect(const stream_protocol::endpoint& address, Done done) override {
    state_->stream->next_layer().async_connect(
        address, [state = state_, done = std::move(done)](const auto& ec) {
          if (state->closed) return;
          asio::error_code ignored;
          if (!ec) state->stream->next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
          done(ec);
        });
  }

  void secure(Done done) override {
    if (state_->unusable) return done(state_->translate(state_->unusable));
    state_->stream->async_handshake(asio::ssl::stream_base::client,
                                    [state = state_, done = std::move(done)](const auto& ec) {
                                      if (!state->closed) done(state->translate(ec));
                                    });
  }

  void read_some(char* buffer, std::size_t bytes, Received received) override {
    state_->stream->async_read_some(
        asio::buffer(buffer, bytes),
        [state = state_, received = std::move(received)](const auto& ec, std::size_t count) {
          if (!state->closed) received(state->translate(ec), count);
        });
  }

  void write(std::string_view bytes, Done done) override {
    asio::async_write(*state_->stream, asio::buffer(bytes.data(), bytes.size()),
                      [state = state_, done = std::move(done)](const auto& ec, std::size_t) {
                        if (!state->closed) done(state->translate(ec));
                      });
  }

  // Without a goodbye: what Redis has answered is all that counts.
  void close() override {
    state_->closed = true;
    asio::error_code ec;
    state_->stream->next_layer().close(ec);
  }

 private:
  std::shared_ptr<TlsState> state_;
};

}  // namespace

std::unique_ptr<ByteStream> make_tls_stream(asio::io_context& io, const RedisAddress& address) {
  return std::make_unique<TlsStream>(io, address);
}

Result<bool> check_tls_files(const TlsFiles& files) {
  if (files.cert.empty() != files.key.empty())
    return Error{ErrorKind::BadConfig,
                 "--redis-tls-cert-file and --redis-tls-key-file go together: name both files or none"};
  Context context = make_context();
  asio::error_code ec;
  const std::string_view option = load_files(files, context, ec);
  if (option.empty()) return true;
  const std::string& path = option == "redis-tls-ca-file"     ? files.ca
                            : option == "redis-tls-cert-file" ? files.cert
                                                              : files.key;
  return Error{ErrorKind::BadConfig,
               fmt::format("--{} '{}': {}; it must be readable, in PEM form, and certificate and key must "
                           "belong together",
                           option, path, ec.message())};
}

}  // namespace mdpipe::publisher
