#pragma once
// One WebSocket client connection at a time, over TLS (wss) or plain (ws), with standard types only:
// websocketpp's headers stay in websocket.cpp. The session decides when to connect, ping, give up or retry.
#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe::reader {

struct WebSocketOptions {
  std::string url;
  std::string ca_file;  // empty: the system's certificate authorities
  std::size_t frame_bytes_max = 8U << 20U;
};

// Why a connection ended or could not be opened.
struct CloseInfo {
  bool was_open = false;
  unsigned code = 0;                        // WebSocket close code; 1006 if the peer sent none
  std::string reason;                       // the peer's words, or ours
  int http_status = 0;                      // of a refused upgrade, else 0
  std::optional<long> retry_after_seconds;  // Retry-After of a refused upgrade
};

// Called from the loop, never from inside a call into WebSocket. Views are valid during the call.
class WebSocketSink {
 public:
  virtual void on_open() = 0;
  virtual void on_text(std::string_view frame) = 0;
  virtual void on_binary(std::string_view frame) = 0;
  virtual void on_too_large(std::size_t bytes) = 0;  // the frame was skipped; the connection stays open
  virtual void on_alive() = 0;                       // a ping or a pong
  virtual void on_pong() = 0;
  virtual void on_closed(const CloseInfo& info) = 0;  // exactly once for each connect()

 protected:
  ~WebSocketSink() = default;
};

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // Starts one attempt. The previous one must have ended with on_closed or abort().
  virtual void connect() = 0;
  // False if the connection is not open.
  virtual bool send(const std::string& text) = 0;
  virtual bool ping() = 0;
  // Starts the closing handshake; on_closed follows.
  virtual void close(unsigned code, const std::string& reason) = 0;
  // After pause(), only frames that were already read from the network are delivered, until resume(). Call
  // pause() only from on_text(), resume() only from elsewhere; both may be repeated.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Ends the connection at once. No on_closed follows.
  virtual void abort() = 0;

  // Borrows both, which must outlive the object. Throws process::StartupError for a URL or CA file that
  // cannot be used.
  static std::unique_ptr<WebSocket> make(asio::io_context& io, const WebSocketOptions& options,
                                         WebSocketSink& sink);
};

}  // namespace mdpipe::reader
