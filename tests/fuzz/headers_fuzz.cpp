// Any bytes as a header that a client of metrics-agent sends, and as a file of passwords. Promises: no crash,
// and credentials hold no byte that would cut them short.
#include <cstdint>
#include <string_view>

#include "metrics-agent/http/page/negotiation.hpp"
#include "metrics-agent/http/server/basic_auth.hpp"
#include "tests/fuzz/fuzz_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mdpipe;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  agent::negotiate_format(bytes);
  agent::accepts_gzip(bytes);
  if (const auto credentials = agent::parse_basic(bytes)) {
    fuzz::check(credentials->user.find(':') == std::string::npos, "a user has no colon");
    fuzz::check((credentials->user + credentials->password).find('\0') == std::string::npos, "no zero byte");
  }
  (void)agent::PasswordFile::parse(bytes, "passwords");
  return 0;
}
