#include "tools/exchange-sim/server.hpp"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/ssl/context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/server.hpp>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "libshared/process/stop_signals.hpp"
#include "libshared/websocket/bounded_deflate.hpp"
#include "tools/exchange-sim/control.hpp"
#include "tools/exchange-sim/simulator.hpp"

namespace mdpipe::sim {
namespace {

namespace ws = websocketpp;

constexpr std::size_t kRequestBytesMax = 1U << 20U;
constexpr auto kStopPatience = std::chrono::milliseconds(1'500);
constexpr long kCloseHandshakeMs = 60'000;  // a slow client first reads what is queued before the close frame

bool deflate_enabled =
    true;  // one server for the process; websocketpp asks a type, not an object, for its extensions

template <typename Config>
struct Deflate : public BoundedDeflate<Config> {
  bool is_implemented() const { return deflate_enabled; }
};

// One thread, no locks, no log of its own.
template <typename Base, typename Socket>
struct SimConfig : public Base {
  using type = SimConfig;
  using concurrency_type = ws::concurrency::none;
  using request_type = typename Base::request_type;
  using response_type = typename Base::response_type;
  using message_type = typename Base::message_type;
  using con_msg_manager_type = typename Base::con_msg_manager_type;
  using endpoint_msg_manager_type = typename Base::endpoint_msg_manager_type;
  using alog_type = ws::log::stub;
  using elog_type = ws::log::stub;
  using rng_type = typename Base::rng_type;

  struct transport_config : public Base::transport_config {
    using concurrency_type = ws::concurrency::none;
    using alog_type = ws::log::stub;
    using elog_type = ws::log::stub;
    using request_type = typename Base::request_type;
    using response_type = typename Base::response_type;
    using socket_type = Socket;
    static const bool enable_multithreading = false;
    static const long timeout_socket_shutdown = 500;
  };
  using transport_type = ws::transport::asio::endpoint<transport_config>;

  static const bool enable_multithreading = false;
  static const std::size_t max_message_size = kRequestBytesMax;
  static const std::size_t max_http_body_size = kRequestBytesMax;

  struct permessage_deflate_config {
    using request_type = typename Base::request_type;
    static const bool allow_disabling_context_takeover = true;
    static const std::uint8_t minimum_outgoing_window_bits = 8;
  };
  using permessage_deflate_type = Deflate<permessage_deflate_config>;
};

using PlainConfig = SimConfig<ws::config::asio, ws::transport::asio::basic_socket::endpoint>;
using TlsConfig = SimConfig<ws::config::asio_tls, ws::transport::asio::tls_socket::endpoint>;

template <typename Connection>
class WebSocketLink : public Link {
 public:
  using Pointer = typename Connection::ptr;

  explicit WebSocketLink(Pointer connection)
      : connection_(std::move(connection)),
        is_deflated_(
            connection_->get_response_header("Sec-WebSocket-Extensions").find("permessage-deflate") !=
            std::string::npos) {}

  void send_text(std::string_view text) override {
    // After a bomb the client's inflate window no longer matches our compressor: continue uncompressed.
    if (is_deflated_ && !is_raw_) {
      flush();
      connection_->send(std::string(text), ws::frame::opcode::text);
    } else {
      append_websocket_frame(Opcode::Text, text, false, out_);
    }
  }

  void send_frame(std::string frame) override {
    constexpr unsigned kRsv1 = 0x40U;
    if (!frame.empty() && (static_cast<unsigned char>(frame.front()) & kRsv1) != 0) is_raw_ = true;
    out_ += frame;
  }

  // Sends many frames as one prepared message, because websocketpp posts a handler for each message.
  void flush() override {
    if (out_.empty()) return;
    auto message = connection_->get_message(ws::frame::opcode::text, 0);
    message->get_raw_payload().swap(out_);
    message->set_prepared(true);
    connection_->send(message);
    out_.clear();
  }

  void ping(std::string_view payload) override {
    flush();
    ws::lib::error_code ec;
    connection_->ping(std::string(payload), ec);
  }

  void close(int code, std::string_view reason) override {
    flush();
    ws::lib::error_code ec;
    connection_->close(static_cast<ws::close::status::value>(code), std::string(reason), ec);
    if (!ec) return;
    log::warn("the close frame was refused, the connection is dropped instead",
              {{"code", code}, {"error", ec.message()}});
    drop();
  }

  void drop() override {
    ws::lib::asio::error_code ec;
    connection_->get_raw_socket().close(ec);
  }

  [[nodiscard]] std::size_t buffered_bytes() const override {
    return out_.size() + connection_->get_buffered_amount();
  }

  [[nodiscard]] bool is_drained() const override {
    if (buffered_bytes() > 0) return false;
    int unsent = 0;
    return ioctl(connection_->get_raw_socket().native_handle(), SIOCOUTQ, &unsent) != 0 || unsent == 0;
  }

  [[nodiscard]] bool is_deflated() const override { return is_deflated_; }

 private:
  Pointer connection_;
  bool is_deflated_;
  bool is_raw_ = false;
  std::string out_;
};

[[noreturn]] void fail(ErrorKind kind, std::string message) {
  throw process::StartupError{Error{kind, std::move(message)}};
}

asio::ip::tcp::endpoint listen_endpoint(asio::io_context& io, const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);  // [::1]:9000
  asio::ip::tcp::resolver resolver(io);
  asio::error_code ec;
  const auto found = resolver.resolve(host, listen.substr(colon + 1), asio::ip::tcp::resolver::passive, ec);
  if (ec || found.empty())
    fail(ErrorKind::BadConfig, fmt::format("--listen '{}': {}; expected HOST:PORT", listen, ec.message()));
  return found.begin()->endpoint();
}

void write_port_file(const std::string& path, unsigned port) {
  if (path.empty()) return;
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  std::ofstream(temporary) << port << '\n';
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    fail(ErrorKind::BadConfig, fmt::format("--port-file '{}' cannot be written", path));
}

template <typename Config>
class Server {
  using Endpoint = ws::server<Config>;
  using Connection = typename Endpoint::connection_type;
  using ConnectionPtr = typename Endpoint::connection_ptr;

 public:
  explicit Server(const Options& options)
      : options_(options),
        sent_(open_log(options)),
        simulator_(options, sent_),
        timer_(io_),
        stop_timer_(io_),
        signals_(io_, [this](int signal) { on_stop(signal); }) {
    Deflate<typename Config::permessage_deflate_config>::limits = {kRequestBytesMax, kRequestBytesMax};
    if (!options.control.empty()) {
      control_.emplace(io_, options.control,
                       [this](std::string_view line) { return simulator_.command(line, moment_now()); });
    }
    endpoint_.init_asio(&io_);
    endpoint_.set_reuse_addr(true);
    endpoint_.set_close_handshake_timeout(kCloseHandshakeMs);
    endpoint_.set_pong_timeout(0);  // the simulator counts pongs itself
    endpoint_.set_validate_handler(
        [this](ws::connection_hdl hdl) { return validate(*endpoint_.get_con_from_hdl(hdl)); });
    endpoint_.set_http_handler(
        [this](ws::connection_hdl hdl) { answer_http(*endpoint_.get_con_from_hdl(hdl)); });
    endpoint_.set_open_handler([this](ws::connection_hdl hdl) { on_open(endpoint_.get_con_from_hdl(hdl)); });
    set_tls(options);
  }

  int run() {
    start_listening();
    loop();
    io_.run();
    log::info("stopped", {{"stats", log::Json{simulator_.stats_json()}}});
    sent_.flush();
    return process::kOk;
  }

 private:
  static SentLog open_log(const Options& options) {
    auto opened = SentLog::open(options.log_sent, options.log_sent_at_once);
    if (!opened) throw process::StartupError{opened.error()};
    return std::move(opened.value());
  }

  void set_tls([[maybe_unused]] const Options& options) {
    if constexpr (std::is_same_v<Config, TlsConfig>) {
      namespace ssl = asio::ssl;
      auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
      context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                           ssl::context::no_tlsv1_1);
      asio::error_code ec;
      context->use_certificate_chain_file(options.tls_cert, ec);
      if (ec) fail(ErrorKind::BadConfig, fmt::format("--tls-cert '{}': {}", options.tls_cert, ec.message()));
      context->use_private_key_file(options.tls_key, ssl::context::pem, ec);
      if (ec) fail(ErrorKind::BadConfig, fmt::format("--tls-key '{}': {}", options.tls_key, ec.message()));
      endpoint_.set_tls_init_handler([context](const ws::connection_hdl&) { return context; });
    }
  }

  void start_listening() {
    ws::lib::error_code ec;
    endpoint_.listen(listen_endpoint(io_, options_.listen), ec);
    if (ec)
      fail(ErrorKind::Unavailable,
           fmt::format("--listen '{}': {}; is the port taken?", options_.listen, ec.message()));
    endpoint_.start_accept(ec);
    if (ec) fail(ErrorKind::Unavailable, fmt::format("--listen '{}': {}", options_.listen, ec.message()));
    asio::error_code address_ec;
    const auto local = endpoint_.get_local_endpoint(address_ec);
    const std::string host = local.address().is_v6() ? fmt::format("[{}]", local.address().to_string())
                                                     : local.address().to_string();
    const std::string url =
        fmt::format("{}://{}:{}", options_.tls_cert.empty() ? "ws" : "wss", host, local.port());
    write_port_file(options_.port_file, local.port());
    log::info("listening", {{"url", url},
                            {"port", static_cast<unsigned>(local.port())},
                            {"exchange", options_.exchange},
                            {"seed", options_.seed},
                            {"rate", options_.rate},
                            {"replay", options_.replay}});
  }

  // Refuses a handshake if an option or a limit requires it.
  bool validate(Connection& connection) {
    const auto status = simulator_.refuse_handshake();
    if (!status) return true;
    connection.set_status(static_cast<ws::http::status_code::value>(*status),
                          fmt::format("Status {}", *status));
    if (options_.retry_after > 0)
      connection.append_header("Retry-After", std::to_string(options_.retry_after));
    return false;
  }

  void answer_http(Connection& connection) {
    const auto reply = simulator_.on_http(connection.get_resource());
    connection.append_header("Content-Type", reply ? "application/json" : "text/plain");
    connection.set_body(reply ? reply->body : "This is a WebSocket server.\n");
    if (reply && reply->retry_after > 0)
      connection.append_header("Retry-After", std::to_string(reply->retry_after));
    connection.set_status(static_cast<ws::http::status_code::value>(reply ? reply->status : 426));
  }

  void on_open(ConnectionPtr connection) {
    const std::uint64_t id = ++connections_;
    connection->set_message_handler(
        [this, id](const ws::connection_hdl&, typename Endpoint::message_ptr message) {
          simulator_.on_text(id, message->get_payload(), moment_now());
        });
    connection->set_ping_handler([this, id](const ws::connection_hdl&, const std::string&) {
      simulator_.on_ping(id, moment_now());
      return !options_.no_pong;  // true: websocketpp answers
    });
    connection->set_pong_handler([this, id](const ws::connection_hdl&, const std::string& payload) {
      simulator_.on_pong(id, payload, moment_now());
    });
    connection->set_close_handler(
        [this, id](const ws::connection_hdl&) { simulator_.on_close(id, moment_now()); });
    asio::error_code ec;
    const auto peer = connection->get_raw_socket().remote_endpoint(ec);
    connection->get_raw_socket().set_option(asio::ip::tcp::no_delay(true), ec);
    simulator_.on_open(id, std::make_unique<WebSocketLink<Connection>>(connection),
                       peer.address().to_string(), connection->get_resource(), moment_now());
  }

  // One turn of work, then the loop serves sockets, signals and timers.
  void loop() {
    const bool again = simulator_.turn(moment_now());
    if (simulator_.is_finished()) {
      simulator_.shut_down(moment_now());
      return io_.stop();
    }
    if (again) {
      asio::post(io_, [this] { loop(); });
      return;
    }
    timer_.expires_after(simulator_.pause());
    timer_.async_wait([this](const asio::error_code& ec) {
      if (!ec) loop();
    });
  }

  void on_stop(int signal) {
    log::info("stopping", {{"signal", signal}});
    ws::lib::error_code ec;
    endpoint_.stop_listening(ec);
    simulator_.shut_down(moment_now());
    stop_timer_.expires_after(kStopPatience);
    stop_timer_.async_wait([this](const asio::error_code& error) {
      if (!error) io_.stop();
    });
  }

  const Options& options_;
  asio::io_context io_;
  Endpoint endpoint_;
  SentLog sent_;
  Simulator simulator_;
  asio::steady_timer timer_, stop_timer_;
  process::StopSignals signals_;
  std::optional<Control> control_;
  std::uint64_t connections_ = 0;
};

}  // namespace

int serve(const Options& options) {
  deflate_enabled = options.deflate;
  if (!options.replay.empty()) {
    // A recording that cannot be read is a mistake on the command line: report it now and not to each
    // client.
    if (const auto probe = Replay::open(options.replay); !probe) throw process::StartupError{probe.error()};
  }
  if (options.tls_cert.empty()) return Server<PlainConfig>(options).run();
  return Server<TlsConfig>(options).run();
}

}  // namespace mdpipe::sim
