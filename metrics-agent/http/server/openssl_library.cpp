#include "metrics-agent/http/server/openssl_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::agent {
namespace {

[[noreturn]] void fail_to_load() {
  const char* const why = dlerror();
  throw process::StartupError{
      {ErrorKind::Unavailable,
       fmt::format(
           "cannot load OpenSSL 3, which --metrics-tls-cert-file needs: {}; install it (Debian: libssl3) "
           "and mdpipe's lib/mdpipe",
           why != nullptr ? why : "unknown")}};
}

// By path, because they are ours; ssl_names.cpp describes their purpose.
void* load_names(const std::string& file) {
  std::error_code ec;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ec);
  const auto folder = program.parent_path().parent_path() / "lib" / "mdpipe";
  void* const library = dlopen((folder / file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail_to_load();
  return library;
}

template <typename Function>
void find_function(void* library, const char* name, Function& function) {
  void* const symbol = dlsym(library, name);
  if (symbol == nullptr) fail_to_load();
  function = reinterpret_cast<Function>(symbol);
}

OpenSslLibrary load_openssl() {
  load_names("libmdpipe_crypto_names.so");
  void* const library = load_names("libmdpipe_ssl_names.so");
  OpenSslLibrary openssl{};
  find_function(library, "TLS_server_method", openssl.server_method);
  find_function(library, "SSL_CTX_new", openssl.ctx_new);
  find_function(library, "SSL_CTX_free", openssl.ctx_free);
  find_function(library, "SSL_CTX_ctrl", openssl.ctx_ctrl);
  find_function(library, "SSL_CTX_set_options", openssl.ctx_set_options);
  find_function(library, "SSL_CTX_set_cert_cb", openssl.ctx_set_cert_cb);
  find_function(library, "SSL_CTX_use_certificate_chain_file", openssl.ctx_use_certificate_chain_file);
  find_function(library, "SSL_CTX_use_PrivateKey_file", openssl.ctx_use_private_key_file);
  find_function(library, "SSL_set_SSL_CTX", openssl.set_ctx);
  find_function(library, "ERR_clear_error", openssl.clear_error);
  find_function(library, "ERR_peek_error", openssl.peek_error);
  find_function(library, "ERR_reason_error_string", openssl.reason);
  return openssl;
}

}  // namespace

const OpenSslLibrary& OpenSslLibrary::get() {
  static const OpenSslLibrary library = load_openssl();
  return library;
}

}  // namespace mdpipe::agent
