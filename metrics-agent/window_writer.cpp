#include "metrics-agent/window_writer.hpp"

#include "libshared/log/log.hpp"
#include "metrics-agent/window_log.hpp"

namespace mdpipe::agent {

WindowWriter::WindowWriter(const SnapshotStore& store, const std::string& state_folder, SteadyTime now)
    : store_(store),
      boot_id_(read_boot_id()),
      file_(state_folder),
      book_(now, file_.load({boot_id_, wall_now()})) {}

void WindowWriter::end_window(SteadyTime now) {
  const Window window = book_.close(store_, now);
  const auto lines = window_lines(store_, window);
  if (file_.usable()) file_.stage(encode_checkpoint(book_.checkpoint(store_), boot_id_));
  for (const WindowLine& line : lines) {
    log::info("metrics", {{"exchange", line.exchange}, {"metrics", log::Json{line.metrics}}});
  }
  if (lines.empty()) log::debug("window without an exchange");
  file_.commit();
}

}  // namespace mdpipe::agent
