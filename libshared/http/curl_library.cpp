#include "libshared/http/curl_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::http {
namespace {

constexpr char kSoname[] = "libcurl.so.4";  // the same since 2006

[[noreturn]] void fail() {
  const char* why = dlerror();
  throw process::StartupError{
      {ErrorKind::Unavailable,
       fmt::format("cannot load {}, which HTTP requests are made with: {}; install it (Debian: libcurl4)",
                   kSoname, why != nullptr ? why : "unknown")}};
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
  void* const symbol = dlsym(library, name);
  if (symbol == nullptr) fail();
  function = reinterpret_cast<Function>(symbol);
}

CurlLibrary load() {
  void* const library = dlopen(kSoname, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail();
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.easy_init);
  find(library, "curl_easy_setopt", curl.easy_setopt);
  find(library, "curl_easy_getinfo", curl.easy_getinfo);
  find(library, "curl_easy_strerror", curl.easy_strerror);
  find(library, "curl_easy_cleanup", curl.easy_cleanup);
  find(library, "curl_slist_append", curl.slist_append);
  find(library, "curl_slist_free_all", curl.slist_free_all);
  find(library, "curl_multi_init", curl.multi_init);
  find(library, "curl_multi_setopt", curl.multi_setopt);
  find(library, "curl_multi_add_handle", curl.multi_add_handle);
  find(library, "curl_multi_remove_handle", curl.multi_remove_handle);
  find(library, "curl_multi_socket_action", curl.multi_socket_action);
  find(library, "curl_multi_info_read", curl.multi_info_read);
  find(library, "curl_multi_cleanup", curl.multi_cleanup);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw process::StartupError{Error{ErrorKind::Internal, "libcurl cannot be set up"}};
  return curl;
}

}  // namespace

const CurlLibrary& CurlLibrary::get() {
  static const CurlLibrary library = load();
  return library;
}

}  // namespace mdpipe::http
