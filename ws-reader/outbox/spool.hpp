#pragma once
// Batches on disk, in the order in which they are to be sent: an SQLite file in WAL mode that the sqlite3
// shell reads. It survives the reader. Nothing here decides what is kept or dropped; the outbox does. A file
// that cannot be used is set aside under another name, never deleted; a disk that refuses is tried again
// later.
//
//   CREATE TABLE batch (row INTEGER PRIMARY KEY, epoch INTEGER, first_seq INTEGER, count INTEGER,
//                       follows INTEGER, reports_losses INTEGER, crc INTEGER, payload BLOB)
//
//   CREATE TABLE life (epoch INTEGER)   the latest life of the reader
//
// `payload` is the msgpack array that goes to md-publisher, `crc` the CRC-32 of it. SQLite's integers are
// signed: epochs and numbers stay below 2^63.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/outbox/batch.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace mdpipe::reader {

class Spool {
 public:
  // Opens or makes the file. Throws process::StartupError where another process has it open; any other fault
  // is logged and counted, and the spool is then not usable for now. `metrics` is borrowed.
  Spool(std::string path, metrics::MetricsCollector& metrics, Moment now);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // A number for this life of the reader: the time, and in any case more than that of the life before, also
  // where the clock was set back.
  std::uint64_t begin_epoch(Moment now);

  // False while the disk refuses: nothing is written before the next try, a second later.
  [[nodiscard]] bool is_writable(Moment now);

  // Writes all of them, or none and returns false. Each gets its row.
  bool append(const std::vector<Batch*>& batches, Moment now);
  // Puts another batch into an existing row.
  bool replace(const Batch& batch, Moment now);
  void remove(std::int64_t row, Moment now);
  void remove_through(std::int64_t row, Moment now);

  enum class Read { Batch, Nothing, Damaged };
  // The first batch behind `row`. Damaged: its row is gone now (count says what it held), or the whole file
  // was set aside (count 0).
  Read read_after(std::int64_t row, Batch& batch, Moment now);

  // Lets go of the pages of the file that are kept in memory.
  void drop_cache();

  // The highest number of that life's events in it; 0 where there are none.
  [[nodiscard]] std::uint64_t last_seq_of(std::uint64_t epoch);
  [[nodiscard]] std::int64_t last_row() const { return last_row_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  // How often a file was set aside with events in it.
  [[nodiscard]] unsigned times_set_aside() const { return times_set_aside_; }

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

  void open(Moment now);
  bool lock_file();
  bool is_ours(std::string& unusable);
  bool make_table();
  bool count_rows();
  Read take_row(sqlite3_stmt* found, Batch& batch);
  bool execute(const char* sql);
  Statement prepare(const char* sql);
  void remove_where(Statement& sizes, Statement& removal, std::int64_t row, Moment now);
  void give_space_back();
  void on_error(const char* action, Moment now);
  void set_aside(const std::string& why, Moment now);
  void close();

  std::string path_;
  metrics::MetricsCollector& metrics_;
  std::unique_ptr<sqlite3, Closer> database_;
  Statement insert_, replace_, next_, size_of_, size_through_, remove_, remove_through_;
  std::int64_t last_row_ = 0;
  std::size_t bytes_ = 0;
  std::size_t bytes_peak_ = 0;  // since space was given back to the file system
  std::uint64_t events_ = 0;
  unsigned times_set_aside_ = 0;
  SteadyTime retry_at_{};
  log::RateLimit error_limit_;
};

}  // namespace mdpipe::reader
