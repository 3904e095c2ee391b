#include "metrics-agent/http/server/answer.hpp"

#include <fmt/format.h>

#include <utility>

namespace mdpipe::agent {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace

Answer text_answer(int status, std::string text, std::string_view headers) {
  Answer answer;
  answer.status = status;
  answer.headers = headers;
  answer.body = std::make_shared<const std::string>(std::move(text));
  return answer;
}

std::string head_of(const Answer& answer) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}Cache-Control: no-store\r\n"
      "Vary: Accept, Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
      answer.status, reason_phrase(answer.status), answer.content_type, answer.body->size(),
      answer.gzip ? "Content-Encoding: gzip\r\n" : "", answer.headers);
}

}  // namespace mdpipe::agent
