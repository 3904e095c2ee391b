#pragma once
// Every text frame that was sent, for an independent checker: CONNECTION<tab>NANOSECONDS<tab>FRAME, one a
// line. Lines that begin with '#' are notes (a bad frame sent on purpose, a frame dropped at a full buffer)
// and contain no frame.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"
#include "libshared/time/time.hpp"

namespace mdpipe::sim {

class SentLog {
 public:
  // With an empty path the log writes nothing. BadConfig if the file cannot be created. With `at_once`, each
  // line is in the file before its frame is sent, so that a killed simulator leaves a complete record.
  static Result<SentLog> open(const std::string& path, bool at_once = false);

  void frame(std::uint64_t connection, UnixNanos time, std::string_view text);
  void note(std::uint64_t connection, UnixNanos time, std::string_view text);
  void flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace mdpipe::sim
