#pragma once
// A program's configuration together with the option table that refers to it. On a reload (SIGHUP) both are
// read again: the same flags and environment, and the file as it is then.
#include <functional>
#include <memory>
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"

namespace mdpipe::process {

template <typename Config>
class Settings {
 public:
  struct Start {
    std::string program, summary;
    void (*declare)(config::OptionTable& table, Config& config) = nullptr;
    int argc = 0;
    const char* const* argv = nullptr;  // valid as long as the process
  };

  explicit Settings(Start start) : start_(std::move(start)), options(start_.program, start_.summary) {
    start_.declare(options, config);
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  [[nodiscard]] const Start& start() const { return start_; }

  [[nodiscard]] Result<std::unique_ptr<Settings>> read_again() const {
    auto fresh = std::make_unique<Settings>(start_);
    const auto loaded = fresh->options.load(start_.argc, start_.argv);
    if (!loaded) return loaded.error();
    return fresh;
  }

 private:
  Start start_;

 public:
  Config config;
  config::OptionTable options;
};

// Both log the result of a reload.
void report_refused(const Error& error);
void report_reload(const config::Difference& difference);

// Reads the configuration again and passes it to `apply`, which copies the options that Option::reloads()
// marks. If the configuration is wrong, or `check` rejects it, nothing changes.
template <typename Config>
void reload(const Settings<Config>& running, const std::function<void(const Config& fresh)>& apply,
            const std::function<Result<bool>(const Config& fresh)>& check = {}) {
  const auto fresh = running.read_again();
  if (!fresh) return report_refused(fresh.error());
  if (check) {
    if (const auto checked = check(fresh.value()->config); !checked) return report_refused(checked.error());
  }
  report_reload(running.options.difference(fresh.value()->options));
  apply(fresh.value()->config);
}

}  // namespace mdpipe::process
