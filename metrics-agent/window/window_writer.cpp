#include "metrics-agent/window/window_writer.hpp"

#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/process/boot_id.hpp"
#include "metrics-agent/window/window_log.hpp"

namespace mdpipe::agent {

WindowWriter::WindowWriter(const SnapshotStore& store, const Forwarders& forwarders,
                           const std::string& state_folder, SteadyTime now)
    : store_(store),
      forwarders_(forwarders),
      boot_id_(process::read_boot_id()),
      file_(state_folder),
      book_(now, load(forwarders)) {}

WindowCheckpoint WindowWriter::load(const Forwarders& forwarders) {
  WindowCheckpoint checkpoint = file_.load({boot_id_, wall_now()});
  for (const metrics::Delta& state : checkpoint.undelivered) {
    for (const auto& forwarder : forwarders) {
      if (forwarder->name() == state.source) forwarder->restore(state);
    }
  }
  checkpoint.undelivered.clear();
  return checkpoint;
}

void WindowWriter::end_window(SteadyTime now) {
  const Window window = book_.close(store_, now);
  const auto lines = window_lines(store_, window);
  for (const auto& forwarder : forwarders_) forwarder->on_window(window);
  if (file_.usable()) {
    cover();
    for (std::size_t i = 0; i < forwarders_.size(); ++i) encode_forwarder(i);
    stage();
  }
  for (const WindowLine& line : lines) {
    log::info("metrics", {{"exchange", line.exchange}, {"metrics", log::Json{line.metrics}}});
  }
  if (lines.empty()) log::debug("window without an exchange");
  for (const auto& forwarder : forwarders_) forwarder->write_lines();
  file_.commit();
  if (forwarders_.empty()) covered_ = {};
}

// The totals of thousands of series are messages only here; afterwards only their bytes are kept.
void WindowWriter::cover() {
  const WindowCheckpoint checkpoint = book_.checkpoint(store_);
  end_ = checkpoint.end;
  covered_.clear();
  for (const metrics::Delta& delta : checkpoint.covered) covered_.append(delta);
}

void WindowWriter::save_progress(std::string_view destination) {
  if (!file_.usable() || !end_) return;  // before the first window there is nothing to save
  for (std::size_t i = 0; i < forwarders_.size(); ++i) {
    if (forwarders_[i]->name() == destination) encode_forwarder(i);
  }
  stage();
  file_.commit();
}

void WindowWriter::encode_forwarder(std::size_t index) {
  undelivered_.resize(forwarders_.size());
  undelivered_[index].clear();
  if (const auto state = forwarders_[index]->state()) undelivered_[index].append(*state);
}

void WindowWriter::stage() {
  std::vector<const StateMessages*> messages = {&covered_};
  for (const StateMessages& one : undelivered_) messages.push_back(&one);
  const std::string head = checkpoint_head(end_, boot_id_, messages);
  StatePieces pieces = {head};
  for (const StateMessages* one : messages) pieces.push_back(one->bytes.view());
  file_.stage(pieces);
}

}  // namespace mdpipe::agent
