#pragma once
// What a client asks, as far as the answer depends on it.
#include <string>

#include "metrics-agent/http/server/basic_auth.hpp"

namespace mdpipe::agent {

struct Request {
  std::string method, path;
  std::string accept, accept_encoding;  // headers, empty where there are none
  BasicAuth::Verdict verdict = BasicAuth::Verdict::Right;
  int failure = 0;  // the status that says so, where it is none that can be answered
};

}  // namespace mdpipe::agent
