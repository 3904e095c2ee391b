#pragma once
// One command with one key: it sets values or asks for them.
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "md-publisher/redis/resp.hpp"
#include "md-publisher/writer/cluster/slot_job.hpp"
#include "md-publisher/writer/cluster/slots.hpp"

namespace mdpipe::publisher {

class CommandJob final : public SlotJob {
 public:
  CommandJob(SlotRunner& runner, std::string key) : SlotJob(runner, slot_of(key)), key_(std::move(key)) {}

  // `on_answer` if the answer is more than a confirmation; runs before the job is done.
  template <typename... Words>
  void set(std::function<void(const Reply&)> on_answer, std::string_view name, const Words&... words) {
    begin(name, 2 + sizeof...(words));
    (resp::append_bulk(words, command_), ...);
    on_answer_ = std::move(on_answer);
  }
  // HSET of all of a map; `text_of` makes a field's value.
  template <typename Fields, typename TextOf>
  void set_fields(const Fields& fields, TextOf text_of) {
    begin("HSET", 2 + 2 * fields.size());
    for (const auto& [field, value] : fields) {
      resp::append_bulk(field, command_);
      resp::append_bulk(text_of(value), command_);
    }
    on_answer_ = nullptr;
  }

  std::size_t prepare(std::string& out) override {
    out += command_;
    return 1;
  }
  Next judge(const Reply& reply) override {
    if (reply.is_error()) {
      error_ = {classify(reply.text), reply.text, name_, key_};
      return Next::Failed;
    }
    if (on_answer_) on_answer_(reply);
    return Next::Done;
  }
  [[nodiscard]] RedisError error() const override { return error_; }

 private:
  void begin(std::string_view name, std::size_t words) {
    name_ = name;
    command_.clear();
    resp::append_array(words, command_);
    resp::append_bulk(name, command_);
    resp::append_bulk(key_, command_);
  }

  std::string key_, name_, command_;
  std::function<void(const Reply&)> on_answer_;
  RedisError error_;
};

}  // namespace mdpipe::publisher
