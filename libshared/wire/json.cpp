#include "libshared/wire/json.hpp"

#include "libshared/wire/json_visitor.hpp"

namespace mdpipe::wire {
namespace {

// Splits the outermost array into lines; everything inside is JsonVisitor's.
class NdjsonVisitor : public JsonVisitor {
 public:
  explicit NdjsonVisitor(std::string& out) : JsonVisitor(out), lines_(out) {}

  bool start_array(std::uint32_t count) { return depth_++ == 0 || JsonVisitor::start_array(count); }
  bool start_array_item() { return depth_ == 1 || JsonVisitor::start_array_item(); }
  bool end_array_item() {
    if (depth_ == 1) lines_.push_back('\n');
    return true;
  }
  bool end_array() { return --depth_ == 0 || JsonVisitor::end_array(); }
  bool start_map(std::uint32_t count) { return depth_++ > 0 && JsonVisitor::start_map(count); }
  bool end_map() {
    --depth_;
    return JsonVisitor::end_map();
  }

 private:
  std::string& lines_;
  int depth_ = 0;
};

}  // namespace

bool append_batch_as_ndjson(std::string_view payload, std::string& out) {
  NdjsonVisitor visitor(out);
  std::size_t offset = 0;
  return msgpack::parse(payload.data(), payload.size(), offset, visitor) && offset == payload.size();
}

}  // namespace mdpipe::wire
