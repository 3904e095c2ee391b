#pragma once
// Batches on disk, in the order in which they are to be sent: an SQLite file in WAL mode that the sqlite3
// shell can read. It survives the reader. RetainedEvents decides what is kept and dropped, not the spool. A
// file that cannot be used is renamed, never deleted; after a write error the next try is a second later.
//
//   CREATE TABLE batch (row INTEGER PRIMARY KEY, epoch INTEGER, first_seq INTEGER, count INTEGER,
//                       follows INTEGER, reports_losses INTEGER, crc INTEGER, payload BLOB)
//
//   CREATE TABLE life (epoch INTEGER)   the epoch of the latest run
//
// `payload` is the msgpack array that goes to md-publisher, `crc` the CRC-32 of it. SQLite's integers are
// signed: epochs and numbers stay below 2^63.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/outbox/batch.hpp"
#include "ws-reader/outbox/spool_file.hpp"

namespace mdpipe::reader {

class Spool {
 public:
  // Opens or makes the file. Throws process::StartupError if another process has it open. Any other error is
  // logged and counted, and the spool is not writable for now. `metrics` is borrowed.
  Spool(std::string path, metrics::MetricsCollector& metrics, Moment now);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // A number for this run of the reader: the time, or one more than the previous run's if the clock was set
  // back.
  std::uint64_t begin_epoch(Moment now);

  // False for a second after a write error.
  [[nodiscard]] bool is_writable(Moment now);

  // Writes all of them and sets their rows, or writes none and returns false.
  bool append(const std::vector<Batch*>& batches, Moment now);
  // Puts another batch into an existing row.
  bool replace(const Batch& batch, Moment now);
  void remove(std::int64_t row, Moment now);
  void remove_through(std::int64_t row, Moment now);

  enum class Read { Batch, Nothing, Damaged };
  // The first batch after `row`. Damaged: either this batch cannot be read and its row can be removed
  // (`batch` has the row and the count), or the whole file was set aside (the count is 0).
  Read read_after(std::int64_t row, Batch& batch, Moment now);

  // Frees the pages of the file that are cached in memory.
  void drop_cache() { file_.drop_cache(); }

  // The highest number of that run's events in it; 0 if there are none.
  [[nodiscard]] std::uint64_t last_seq_of(std::uint64_t epoch);
  [[nodiscard]] std::int64_t last_row() const { return last_row_; }
  [[nodiscard]] std::size_t bytes() const { return totals_.bytes; }
  [[nodiscard]] std::uint64_t events() const { return totals_.events; }
  // How often the file was set aside.
  [[nodiscard]] unsigned times_set_aside() const { return times_set_aside_; }

 private:
  struct Totals {
    std::uint64_t events = 0;
    std::size_t bytes = 0;
  };

  void open(Moment now);
  void close();
  bool prepare_statements();
  bool read_totals();
  Read read_row(Batch& batch);
  static Totals query_totals(const SqliteStatement& query, std::int64_t row);
  void remove_where(const SqliteStatement& totals, const SqliteStatement& removal, std::int64_t row,
                    Moment now);
  void on_error(const char* action, Moment now);
  void on_write_error(Moment now);
  void set_aside(const std::string& why, Moment now);

  std::string path_;
  metrics::MetricsCollector& metrics_;
  SpoolFile file_;
  SqliteStatement insert_, replace_, next_, totals_of_, totals_through_, remove_, remove_through_;
  std::int64_t last_row_ = 0;
  Totals totals_;
  std::size_t bytes_peak_ = 0;  // since the file was shrunk
  unsigned times_set_aside_ = 0;
  SteadyTime retry_at_{};
  log::RateLimit error_limit_;
};

}  // namespace mdpipe::reader
