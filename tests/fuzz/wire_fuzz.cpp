// Any bytes as each message that crosses a process boundary. Promises: no crash, no memory taken on the word
// of a size field, and what is accepted encodes to something that decodes to the same.
#include <cstdint>
#include <string>

#include "libshared/metrics/delta.hpp"
#include "libshared/wire/json.hpp"
#include "libshared/wire/link.hpp"
#include "tests/fuzz/fuzz_check.hpp"

namespace mdpipe {
namespace {

using fuzz::check;

template <typename Message, typename Decode>
void check_round_trip(std::string_view bytes, Decode&& decode) {
  const Result<Message> message = decode(bytes);
  if (!message) {
    check(message.error().kind == ErrorKind::Protocol && !message.error().message.empty(),
          "a refusal says why");
    return;
  }
  wire::ByteBuffer first;
  encode(message.value(), first);
  const Result<Message> again = decode(first.view());
  check(again.ok(), "what we accept we also write");
  wire::ByteBuffer second;
  encode(again.value(), second);
  check(first.view() == second.view(), "decoding and encoding changes nothing");
}

}  // namespace
}  // namespace mdpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mdpipe;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_round_trip<wire::BatchHeader>(bytes, wire::decode_batch_header);
  check_round_trip<wire::Position>(bytes, wire::decode_position);
  check_round_trip<metrics::Delta>(bytes, metrics::decode_delta);
  wire::ByteBuffer lines;
  if (wire::append_batch_as_ndjson(bytes, lines))
    check(lines.empty() || lines.view().back() == '\n', "the last line has an end");
  return 0;
}
