#include "metrics-agent/http/http_service.hpp"

#include <fmt/format.h>

#include <asio/ip/address.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"

namespace mdpipe::agent {
namespace {

void write_port_file(const std::string& path, int port) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  const bool written = file != nullptr && std::fprintf(file, "%d\n", port) > 0;
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    throw process::StartupError{
        {ErrorKind::BadConfig, fmt::format("cannot write --port-file '{}': {}; name a file in a "
                                           "writable folder",
                                           path, std::strerror(errno))}};
  }
}

template <typename T>
void log_reload(const char* what, const Result<T>& result) {
  if (result) {
    log::info("reloaded a file", {{"what", what}});
  } else {
    log::error("cannot reload a file; its previous contents stay in use",
               {{"what", what}, {"why", result.error().message}});
  }
}

bool is_loopback(const std::string& address) { return asio::ip::make_address(address).is_loopback(); }

std::unique_ptr<BasicAuth> make_passwords(const std::string& file) {
  if (file.empty()) return nullptr;
  return std::make_unique<BasicAuth>(process::value_or_throw(PasswordFile::read(file)));
}

std::unique_ptr<TlsCertificates> make_certificates(const TlsFiles& files) {
  if (files.empty()) return nullptr;
  return std::make_unique<TlsCertificates>(process::value_or_throw(read_tls(files)));
}

}  // namespace

HttpService::HttpService(asio::io_context& io, const SnapshotStore& store, metrics::MetricsCollector& own,
                         HttpServiceOptions options)
    : options_(std::move(options)),
      passwords_(make_passwords(options_.basic_auth_file)),
      certificates_(make_certificates(options_.tls)),
      pages_(store, own, options_.pages),
      server_(io, HttpOptions{options_.address, options_.port, certificates_.get()}, callbacks()) {
  log_start();
  if (!options_.port_file.empty()) write_port_file(options_.port_file, server_.port());
}

void HttpService::log_start() const {
  log::info("serving HTTP", {{"address", options_.address},
                             {"port", server_.port()},
                             {"tls", certificates_ != nullptr},
                             {"password", passwords_ != nullptr}});
  if (!server_.has_all_threads()) {
    log::warn("few threads serve HTTP, so few clients that stall delay the others (TasksMax=, ulimit -u)",
              {{"threads", static_cast<std::uint64_t>(server_.threads())}});
  }
  if (!is_loopback(options_.address) && !passwords_) {
    log::warn("/metrics is served beyond this host without a password (--metrics-basic-auth-file)",
              {{"address", options_.address}});
  }
}

HttpCallbacks HttpService::callbacks() {
  HttpCallbacks callbacks;
  callbacks.check = [this](std::string_view path, std::string_view authorization) {
    return passwords_ && Pages::is_protected(path) ? passwords_->check(authorization)
                                                   : BasicAuth::Verdict::Right;
  };
  callbacks.answer = [this](const Request& request) { return pages_.answer(request); };
  callbacks.on_cut = [this] { pages_.count_cut(); };
  return callbacks;
}

void HttpService::reload_files() {
  if (passwords_) {
    auto passwords = PasswordFile::read(options_.basic_auth_file);
    if (passwords) passwords_->replace(std::move(passwords.value()));
    log_reload("passwords", passwords);
  }
  if (certificates_) {
    auto tls = read_tls(options_.tls);
    if (tls) certificates_->replace(std::move(tls.value()));
    log_reload("TLS certificate and key", tls);
  }
}

}  // namespace mdpipe::agent
