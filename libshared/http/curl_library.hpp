#pragma once
// libcurl, loaded when the first HTTP client is made and not with the program: it loads thirty more libraries
// and takes 3 MB of resident memory, and most programs send no HTTP request. Only client.cpp includes this.
#include <curl/curl.h>

namespace mdpipe::http {

struct CurlLibrary {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_setopt) multi_setopt;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_socket_action) multi_socket_action;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_cleanup) multi_cleanup;

  // Stays loaded and initialized. Throws process::StartupError if it cannot be loaded.
  static const CurlLibrary& get();
};

}  // namespace mdpipe::http
