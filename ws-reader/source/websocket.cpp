#include "ws-reader/source/websocket.hpp"

// websocketpp closes a connection (1007) on one text frame that is not UTF-8. A collector has to skip such a
// frame and lose nothing else, and simdjson validates each frame anyway, so websocketpp's validator is
// replaced by one that lets everything pass: its header is kept out by its own include guard.
#define UTF8_VALIDATOR_HPP
#include <string>
namespace websocketpp::utf8_validator {
class validator {
 public:
  template <typename Iterator>
  bool decode(Iterator, Iterator) {
    return true;
  }
  bool complete() { return true; }
};
inline bool validate(const std::string&) { return true; }
}  // namespace websocketpp::utf8_validator

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include <asio/ip/address.hpp>
#include <charconv>
#include <websocketpp/client.hpp>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio_client.hpp>
#include <websocketpp/logger/stub.hpp>

#include "libshared/process/exit_code.hpp"
#include "libshared/websocket/bounded_deflate.hpp"

namespace mdpipe::reader {
namespace {

// A frame that inflates to this many times the largest allowed size fails the connection.
constexpr std::size_t kGiveUpFactor = 16;

// Hands out the same message again once nobody holds it: a frame then costs no allocation.
template <typename Message>
class ReusedMessages : public std::enable_shared_from_this<ReusedMessages<Message>> {
 public:
  using ptr = std::shared_ptr<ReusedMessages>;
  using weak_ptr = std::weak_ptr<ReusedMessages>;
  using message_ptr = typename Message::ptr;

  message_ptr get_message() { return get_message(websocketpp::frame::opcode::text, 0); }
  message_ptr get_message(websocketpp::frame::opcode::value opcode, std::size_t bytes) {
    constexpr std::size_t kKeptBytesMax = 1U << 20U;  // one huge frame must not keep its memory for ever
    if (!message_ || message_.use_count() > 1 || message_->get_raw_payload().capacity() > kKeptBytesMax) {
      message_ = std::make_shared<Message>(this->shared_from_this(), opcode, bytes);
      return message_;
    }
    message_->get_raw_payload().clear();
    message_->get_raw_payload().reserve(bytes);
    message_->set_opcode(opcode);
    message_->set_header({});
    message_->set_prepared(false);
    message_->set_compressed(false);
    message_->set_terminal(false);
    message_->set_fin(true);
    return message_;
  }
  bool recycle(Message*) { return false; }

 private:
  message_ptr message_;
};

// One thread, no logs of its own, larger reads (fewer system calls), deflate offered.
template <typename Base>
struct ClientConfig : Base {
  using type = ClientConfig;
  using concurrency_type = websocketpp::concurrency::none;
  using elog_type = websocketpp::log::stub;
  using alog_type = websocketpp::log::stub;
  using request_type = typename Base::request_type;
  using response_type = typename Base::response_type;
  using message_type = websocketpp::message_buffer::message<ReusedMessages>;
  using con_msg_manager_type = ReusedMessages<message_type>;
  using endpoint_msg_manager_type =
      websocketpp::message_buffer::alloc::endpoint_msg_manager<con_msg_manager_type>;
  static const bool enable_multithreading = false;
  static const std::size_t connection_read_buffer_size = 64U << 10U;

  struct transport_config : Base::transport_config {
    using concurrency_type = typename type::concurrency_type;
    using elog_type = typename type::elog_type;
    using alog_type = typename type::alog_type;
    using request_type = typename type::request_type;
    using response_type = typename type::response_type;
    static const bool enable_multithreading = false;
    static const long timeout_socket_shutdown = 500;
  };
  using transport_type = websocketpp::transport::asio::endpoint<transport_config>;

  struct permessage_deflate_config {
    using request_type = typename type::request_type;
    static const bool allow_disabling_context_takeover = true;
    static const std::uint8_t minimum_outgoing_window_bits = 8;
  };
  using permessage_deflate_type = BoundedDeflate<permessage_deflate_config>;
};

using PlainConfig = ClientConfig<websocketpp::config::asio_client>;
using TlsConfig = ClientConfig<websocketpp::config::asio_tls_client>;

// "api.coin.z.com" of "wss://api.coin.z.com:443/ws": the name the certificate must be for, without IPv6
// brackets.
std::string host_of(const std::string& url) {
  const websocketpp::uri uri(url);
  std::string host = uri.get_host();
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

[[noreturn]] void fail_startup(const std::string& message) {
  throw process::StartupError{Error{ErrorKind::BadConfig, message}};
}

// Retry-After in seconds; the date form is left to the backoff.
std::optional<long> parse_retry_after(const std::string& text) {
  long seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return seconds;
}

template <typename Config>
class Client final : public WebSocket {
 public:
  Client(asio::io_context& io, const WebSocketOptions& options, WebSocketSink& sink)
      : options_(options), sink_(sink), host_(host_of(options.url)) {
    BoundedDeflate<typename Config::permessage_deflate_config>::limits = {
        options.frame_bytes_max, kGiveUpFactor * options.frame_bytes_max};
    endpoint_.init_asio(&io);
    endpoint_.set_user_agent("mdpipe");
    // Frames over the limit are skipped one by one; only a frame far above it ends the connection.
    constexpr std::size_t kHardFactor = 4;
    endpoint_.set_max_message_size(kHardFactor * options.frame_bytes_max);
    if constexpr (is_tls()) prepare_tls();
  }

  ~Client() override { abort(); }

  void connect() override {
    const std::uint64_t attempt = ++attempt_;
    websocketpp::lib::error_code ec;
    connection_ = endpoint_.get_connection(options_.url, ec);
    if (ec) {
      endpoint_.get_io_service().post([this, attempt, message = ec.message()] {
        if (attempt == attempt_) finish(CloseInfo{false, 0, message, 0, {}});
      });
      return;
    }
    paused_ = false;
    set_handlers(attempt);
    endpoint_.connect(connection_);
  }

  bool send(const std::string& text) override {
    if (!connection_) return false;
    return !connection_->send(text, websocketpp::frame::opcode::text);
  }

  bool ping() override {
    if (!connection_) return false;
    websocketpp::lib::error_code ec;
    connection_->ping("mdpipe", ec);
    return !ec;
  }

  void close(unsigned code, const std::string& reason) override {
    if (!connection_) return;
    websocketpp::lib::error_code ec;
    connection_->close(static_cast<websocketpp::close::status::value>(code), reason, ec);
    if (ec) connection_->get_raw_socket().close(ec);
  }

  // websocketpp's own pause_reading() is posted, so that a read may be under way by then and resume_reading()
  // would start a second one. Called while it hands out a message, its handler takes effect at once.
  void pause() override {
    if (!connection_ || paused_) return;
    paused_ = true;
    connection_->handle_pause_reading();
  }

  void resume() override {
    if (!std::exchange(paused_, false) || !connection_) return;
    connection_->handle_resume_reading();
  }

  void abort() override {
    ++attempt_;  // whatever the old connection still reports is not ours any more
    if (!connection_) return;
    asio::error_code ec;
    connection_->get_raw_socket().close(ec);
    connection_.reset();
  }

 private:
  using Endpoint = websocketpp::client<Config>;
  using ConnectionPtr = typename Endpoint::connection_ptr;
  using MessagePtr = typename Endpoint::message_ptr;
  using Handle = websocketpp::connection_hdl;

  static constexpr bool is_tls() { return std::is_same_v<Config, TlsConfig>; }

  void set_handlers(std::uint64_t attempt) {
    connection_->set_open_handler([this, attempt](const Handle&) {
      if (attempt == attempt_) sink_.on_open();
    });
    connection_->set_message_handler([this, attempt](const Handle&, const MessagePtr& message) {
      if (attempt == attempt_) on_message(*message);
    });
    connection_->set_ping_handler([this, attempt](const Handle&, const std::string&) {
      if (attempt == attempt_) sink_.on_alive();
      return true;  // answer with a pong that carries the same payload
    });
    connection_->set_pong_handler([this, attempt](const Handle&, const std::string&) {
      if (attempt == attempt_) sink_.on_pong();
    });
    connection_->set_fail_handler([this, attempt](const Handle&) {
      if (attempt == attempt_) finish(describe_failure());
    });
    connection_->set_close_handler([this, attempt](const Handle&) {
      if (attempt == attempt_) finish(describe_close());
    });
  }

  void on_message(const typename MessagePtr::element_type& message) {
    const std::string& payload = message.get_payload();
    if (payload.size() > options_.frame_bytes_max) {
      sink_.on_too_large(payload.size());
    } else if (message.get_opcode() == websocketpp::frame::opcode::text) {
      sink_.on_text(payload);
    } else {
      sink_.on_binary(payload);
    }
  }

  void finish(const CloseInfo& info) {
    ++attempt_;
    connection_.reset();
    sink_.on_closed(info);
  }

  CloseInfo describe_close() {
    CloseInfo info;
    info.was_open = true;
    const bool peer_spoke =
        connection_->get_remote_close_code() != websocketpp::close::status::abnormal_close;
    info.code = peer_spoke ? connection_->get_remote_close_code() : connection_->get_local_close_code();
    info.reason = peer_spoke ? connection_->get_remote_close_reason() : connection_->get_local_close_reason();
    if (info.reason.empty()) info.reason = connection_->get_ec().message();
    return info;
  }

  CloseInfo describe_failure() {
    CloseInfo info;
    info.http_status = static_cast<int>(connection_->get_response_code());
    if (info.http_status == static_cast<int>(websocketpp::http::status_code::switching_protocols))
      info.http_status = 0;
    info.retry_after_seconds = parse_retry_after(connection_->get_response_header("Retry-After"));
    info.reason = connection_->get_ec().message();
    if (info.http_status > 0) info.reason = fmt::format("the server answered HTTP {}", info.http_status);
    if constexpr (is_tls()) {
      const long verified = SSL_get_verify_result(connection_->get_socket().native_handle());
      if (verified != X509_V_OK) {
        info.reason = fmt::format("the server's certificate is not trusted for {}: {}", host_,
                                  X509_verify_cert_error_string(verified));
      }
    }
    return info;
  }

  using TlsContext = websocketpp::lib::shared_ptr<asio::ssl::context>;

  static TlsContext make_tls_context(const std::string& ca_file) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    context->set_verify_mode(asio::ssl::verify_peer);
    if (ca_file.empty()) {
      context->set_default_verify_paths();
    } else {
      context->load_verify_file(ca_file);
    }
    return context;
  }

  // websocketpp verifies the chain but not the name; OpenSSL does once it is told the name.
  static void require_host_name(SSL* ssl, const std::string& host) {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    asio::error_code ec;
    asio::ip::make_address(host, ec);
    const int set = ec ? X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), 0)
                       : X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str());
    if (set != 1) throw std::runtime_error("OpenSSL does not take the host name to verify");
  }

  void prepare_tls() {
    try {
      tls_context_ = make_tls_context(options_.ca_file);
    } catch (const std::exception& error) {
      fail_startup(fmt::format("--ca-file '{}': {}; it must hold certificates in PEM form", options_.ca_file,
                               error.what()));
    }
    endpoint_.set_tls_init_handler([this](const Handle&) { return tls_context_; });
    endpoint_.set_socket_init_handler(
        [this](const Handle&, asio::ssl::stream<asio::ip::tcp::socket>& stream) {
          require_host_name(stream.native_handle(), host_);
        });
  }

  WebSocketOptions options_;
  WebSocketSink& sink_;
  std::string host_;
  TlsContext tls_context_;
  Endpoint endpoint_;
  ConnectionPtr connection_;
  std::uint64_t attempt_ = 0;
  bool paused_ = false;
};

}  // namespace

std::unique_ptr<WebSocket> WebSocket::make(asio::io_context& io, const WebSocketOptions& options,
                                           WebSocketSink& sink) {
  const websocketpp::uri uri(options.url);
  if (!uri.get_valid()) {
    fail_startup(
        fmt::format("--url '{}': not a WebSocket URL; expected wss://host[:port]/path", options.url));
  }
  if (uri.get_secure()) return std::make_unique<Client<TlsConfig>>(io, options, sink);
  return std::make_unique<Client<PlainConfig>>(io, options, sink);
}

}  // namespace mdpipe::reader
