#pragma once
// TLS to Redis: the server's certificate and name are verified, a certificate of our own is shown where one
// is configured. The only file of md-publisher that speaks to OpenSSL's connections.
#include <memory>

#include "md-publisher/redis/byte_stream.hpp"

namespace mdpipe::publisher {

// The files are read again for each connection, so renewed certificates need no restart. They were good once:
// see check_tls_files.
std::unique_ptr<ByteStream> make_tls_stream(asio::io_context& io, const RedisAddress& address);

// BadConfig names the option whose file cannot be used.
Result<bool> check_tls_files(const TlsFiles& files);

}  // namespace mdpipe::publisher
