#include "md-publisher/transaction/outcome.hpp"

namespace mdpipe::publisher {
namespace {

using Type = Reply::Type;

std::optional<RedisError> error_of(const Reply::Element& element, Transaction::Command command) {
  if (element.type != Type::Error) return std::nullopt;
  return redis_error(element.text, {command.name, command.key});
}

}  // namespace

std::optional<Outcome> read_outcome(const Reply& exec, const Transaction& transaction, StreamLengths& lengths,
                                    SteadyTime now) {
  if (exec.element_count != transaction.exec_count()) return std::nullopt;
  Outcome outcome;
  for (const auto& touched : transaction.touched()) lengths.on_written(*touched.key, touched.entries);
  const auto* element = exec.elements.data();
  for (const auto& entry : transaction.entries()) {
    if (element->type == Type::Error) {
      outcome.refused.push_back({&entry, element->text});
      lengths.on_rejected(*entry.stream->key, 1);
    }
    ++element;
  }
  for (const RedisKey* key : transaction.length_checks()) {
    if (element->type == Type::Integer) {
      const auto length = static_cast<std::uint64_t>(element->integer);
      if (const auto entries = lengths.on_length(*key, length, now); entries > 0)
        outcome.removed.push_back({key, entries});
    }
    ++element;
  }
  const auto index = [&] { return static_cast<std::size_t>(element - exec.elements.data()) + 1; };
  if (!transaction.states().empty()) {
    outcome.states_refused = error_of(*element, transaction.command(index()));
    ++element;
  }
  if (!transaction.cursors().empty()) {
    outcome.cursors_refused = error_of(*element, transaction.command(index()));
    if (element->type == Type::Integer)
      outcome.cursors_created = static_cast<std::uint64_t>(element->integer);
  }
  return outcome;
}

}  // namespace mdpipe::publisher
