#include "libshared/settings/settings.hpp"

#include <fmt/format.h>

#include "libshared/log/log.hpp"

namespace mdpipe::process {

void report_refused(const Error& error) {
  log::error("the new configuration is refused; the old one stays", {{"why", error.message}});
}

void report_reload(const config::Difference& difference) {
  const auto changed = fmt::format("{}", fmt::join(difference.applied, "; "));
  log::info("configuration read again", {{"changed", changed.empty() ? "nothing" : changed}});
  if (difference.fixed.empty()) return;
  log::warn("options that cannot change while the program runs keep their values until it is restarted",
            {{"options", fmt::format("{}", fmt::join(difference.fixed, ", "))}});
}

}  // namespace mdpipe::process
