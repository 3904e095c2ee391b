#include "libshared/wire/json.hpp"

#include "libshared/wire/json_visitor.hpp"

namespace mdpipe::wire {
namespace {

constexpr int kDepthMax = 8;  // a batch needs 4: the batch, an event, its levels, a level

// Splits the outermost array into lines; everything inside is JsonVisitor's.
class NdjsonVisitor : public JsonVisitor {
 public:
  explicit NdjsonVisitor(std::string& out) : JsonVisitor(out), lines_(out) {}

  bool start_array(std::uint32_t count) {
    const bool is_batch = depth_ == 0;
    return enter() && (is_batch || JsonVisitor::start_array(count));
  }
  bool start_array_item() { return depth_ == 1 || JsonVisitor::start_array_item(); }
  // msgpack-c calls it after each item, the last one included.
  bool end_array_item() {
    if (depth_ == 1) lines_.push_back('\n');
    return true;
  }
  bool end_array() { return --depth_ == 0 || JsonVisitor::end_array(); }
  bool start_map(std::uint32_t count) { return depth_ > 0 && enter() && JsonVisitor::start_map(count); }
  bool end_map() {
    --depth_;
    return JsonVisitor::end_map();
  }

 private:
  bool enter() { return ++depth_ <= kDepthMax; }

  std::string& lines_;
  int depth_ = 0;
};

// A bare number or text would reach the visitor without any array around it.
bool starts_with_array(std::string_view payload) {
  if (payload.empty()) return false;
  const auto first = static_cast<unsigned char>(payload.front());
  return (first & 0xF0U) == 0x90U || first == 0xdcU || first == 0xddU;
}

}  // namespace

bool append_batch_as_ndjson(std::string_view payload, std::string& out) {
  NdjsonVisitor visitor(out);
  std::size_t offset = 0;
  return starts_with_array(payload) && msgpack::parse(payload.data(), payload.size(), offset, visitor) &&
         offset == payload.size();
}

}  // namespace mdpipe::wire
