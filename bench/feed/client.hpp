#pragma once
// The only client of the feed: the upgrade to WebSocket, messages from the client, and bytes to it with back
// pressure. Pings are answered between frames. The client is assumed to follow the protocol.
#include <cstdint>
#include <string>
#include <string_view>

namespace mdpipe::bench {

// Listens on a free port of 127.0.0.1 and writes it to `port_file`, if one is named. Throws
// std::system_error.
int listen_on_free_port(const std::string& port_file);

class Client {
 public:
  // Waits for the client and its upgrade. Throws std::runtime_error if it is no WebSocket client.
  explicit Client(int listener);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Reads what the client has sent. If it has sent nothing, waits at most this long for something.
  void listen(int wait_ms);
  // Blocks until all is in the socket. False once the client is gone.
  bool send(std::string_view bytes);

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] std::uint64_t subscriptions() const { return subscriptions_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  void upgrade();
  bool receive();
  void take_messages();
  void on_message(unsigned opcode, std::string_view payload);
  bool write_all(std::string_view bytes);

  int fd_;
  bool open_ = true;
  std::uint64_t subscriptions_ = 0;
  std::string received_, answers_, unmasked_;
};

}  // namespace mdpipe::bench
