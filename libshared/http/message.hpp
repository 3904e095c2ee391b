#pragma once
// An HTTP request and its answer, as plain values: code that only reads an answer needs no socket.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe::http {

inline constexpr int kStatusOk = 200;

struct Request {
  enum class Method { Get, Post };
  Method method = Method::Get;
  std::string url;                   // http or https
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // of a Post
};

struct Response {
  enum class Failure { None, TimedOut, TooLarge, Other };
  Failure failure = Failure::None;
  std::string error;  // why there is no answer; empty if there is one
  int status = 0;     // HTTP's status, also of an answer that is too large
  std::chrono::seconds retry_after{0};
  std::string_view content_type;  // empty if none is named; valid inside the handler, like the body
  std::string_view body;          // decompressed
};

}  // namespace mdpipe::http
