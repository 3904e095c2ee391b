#pragma once
// systemd's readiness protocol (sd_notify(3)): READY, STATUS, WATCHDOG, STOPPING. Sends nothing if systemd
// did not start the program with it.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe::process {

class Notifier {
 public:
  Notifier();  // reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void ready(std::string_view status);   // sends READY once; later calls only change the status
  void status(std::string_view status);  // shown by systemctl status
  void watchdog();                       // call at least every watchdog_interval()
  void stopping(std::string_view status);

  // Half of systemd's WatchdogSec, or nothing if no watchdog is set.
  [[nodiscard]] std::optional<std::chrono::milliseconds> watchdog_interval() const {
    return watchdog_interval_;
  }

 private:
  void send(const std::string& message) const;

  int fd_ = -1;
  std::string address_;
  bool ready_sent_ = false;
  std::optional<std::chrono::milliseconds> watchdog_interval_;
};

}  // namespace mdpipe::process
