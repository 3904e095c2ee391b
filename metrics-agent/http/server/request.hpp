#pragma once
// The parts of a request that the answer depends on.
#include <string>

#include "metrics-agent/http/server/basic_auth.hpp"

namespace mdpipe::agent {

struct Request {
  std::string method, path;
  std::string accept, accept_encoding;  // headers; empty if missing
  BasicAuth::Verdict verdict = BasicAuth::Verdict::Right;
  int failure = 0;  // the status of the answer if the request cannot be served
};

}  // namespace mdpipe::agent
