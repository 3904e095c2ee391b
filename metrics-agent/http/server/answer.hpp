#pragma once
// An answer to a request, and its head as text. Pure.
#include <memory>
#include <string>
#include <string_view>

namespace mdpipe::agent {

struct Answer {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  bool gzip = false;         // the body is compressed
  std::string_view headers;  // further ones, each with its end of line
  std::shared_ptr<const std::string> body = std::make_shared<const std::string>();
};

Answer text_answer(int status, std::string text, std::string_view headers = {});

std::string head_of(const Answer& answer);

}  // namespace mdpipe::agent
