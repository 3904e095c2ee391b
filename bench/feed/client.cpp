#include "bench/feed/client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace mdpipe::bench {
namespace {

// RFC 6455.
constexpr std::string_view kAcceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr unsigned kText = 1, kClose = 8, kPing = 9;
constexpr char kFinalClose = '\x88', kFinalPong = '\x8a';

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::string accept_key(const std::string& key) {
  const std::string text = key + std::string(kAcceptGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

// The value of a header; names are compared without regard to case.
std::string header(std::string_view request, std::string_view name) {
  std::string lower;
  for (const char c : request)
    lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  const std::size_t found = lower.find(fmt::format("\r\n{}:", name));
  if (found == std::string::npos) return {};
  const std::size_t begin = request.find_first_not_of(' ', found + name.size() + 3);
  return std::string(request.substr(begin, request.find("\r\n", begin) - begin));
}

}  // namespace

int listen_on_free_port(const std::string& port_file) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("listening");
  if (!port_file.empty()) {
    std::ofstream(port_file + ".new") << ntohs(address.sin_port) << '\n';
    if (std::rename((port_file + ".new").c_str(), port_file.c_str()) != 0) fail("writing the port file");
  }
  return listener;
}

Client::Client(int listener) : fd_(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) {
  if (fd_ < 0) fail("accepting");
  const int on = 1;
  if (::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
  upgrade();
}

Client::~Client() { ::close(fd_); }

void Client::upgrade() {
  std::size_t end = std::string::npos;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    pollfd input{fd_, POLLIN, 0};
    (void)::poll(&input, 1, -1);
    if (!receive()) throw std::runtime_error("the client left before its upgrade");
  }
  const std::string key = header(std::string_view(received_).substr(0, end + 2), "sec-websocket-key");
  if (key.empty()) throw std::runtime_error("the client asks for no WebSocket");
  received_.erase(0, end + 4);
  write_all(
      fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: {}\r\n\r\n",
                  accept_key(key)));
  take_messages();
}

// False once the client is gone.
bool Client::receive() {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return open_ = false;
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

void Client::listen(int wait_ms) {
  pollfd input{fd_, POLLIN, 0};
  if (open_ && ::poll(&input, 1, wait_ms) > 0 && receive()) take_messages();
  if (!answers_.empty()) {
    const std::string answers = std::move(answers_);
    answers_.clear();
    write_all(answers);
  }
}

bool Client::send(std::string_view bytes) {
  if (!answers_.empty()) listen(0);
  return write_all(bytes);
}

bool Client::write_all(std::string_view bytes) {
  while (open_ && !bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      pollfd either{fd_, POLLIN | POLLOUT, 0};
      (void)::poll(&either, 1, -1);
      if ((static_cast<unsigned>(either.revents) & static_cast<unsigned>(POLLIN)) != 0 && receive())
        take_messages();
    } else if (errno != EINTR) {
      open_ = false;
    }
  }
  return open_;
}

void Client::take_messages() {
  constexpr std::size_t kMaskBytes = 4;
  constexpr unsigned kSizeBits = 0x7f, kOpcodeBits = 0x0f, kMedium = 126;
  for (;;) {
    const auto byte = [this](std::size_t i) {
      return static_cast<unsigned>(static_cast<unsigned char>(received_[i]));
    };
    if (received_.size() < 2) return;
    std::size_t size = byte(1) & kSizeBits, start = 2;
    if (size > kMedium) throw std::runtime_error("the client sends a very large message");
    if (size == kMedium) {
      if (received_.size() < 4) return;
      size = byte(2) << 8U | byte(3);
      start = 4;
    }
    if (received_.size() < start + kMaskBytes + size) return;
    unmasked_.clear();
    for (std::size_t i = 0; i < size; ++i)
      unmasked_.push_back(static_cast<char>(byte(start + kMaskBytes + i) ^ byte(start + i % kMaskBytes)));
    const unsigned opcode = byte(0) & kOpcodeBits;
    received_.erase(0, start + kMaskBytes + size);
    on_message(opcode, unmasked_);
  }
}

void Client::on_message(unsigned opcode, std::string_view payload) {
  if (opcode == kText && payload.find("\"subscribe\"") != std::string_view::npos) ++subscriptions_;
  if (opcode != kPing && opcode != kClose) return;
  answers_.push_back(opcode == kPing ? kFinalPong : kFinalClose);
  answers_.push_back(static_cast<char>(payload.size()));
  answers_.append(payload);
  if (opcode == kPing) return;
  write_all(answers_);
  open_ = false;
}

}  // namespace mdpipe::bench
