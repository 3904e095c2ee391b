#include "ws-reader/outbox/spool.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::reader {
namespace {

constexpr auto kRetryAfter = std::chrono::seconds(1);
// An empty spool whose file never held more than this is not shrunk.
constexpr std::size_t kShrinkAbove = 4U << 20U;

std::int64_t crc_of(std::string_view payload) {
  return static_cast<std::int64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(payload.data()), static_cast<uInt>(payload.size())));
}

// Two files that are set aside at the same time must not get the same name.
std::string unused_name(const std::string& prefix, std::int64_t number) {
  std::error_code ignored;
  std::string name = prefix + std::to_string(number);
  while (std::filesystem::exists(name, ignored)) name = prefix + std::to_string(++number);
  return name;
}

// The parameters 1 to 8 of insert_ and replace_.
void bind_batch(SqliteExecution& execution, const Batch& batch, std::int64_t row) {
  execution.bind(1, batch.epoch);
  execution.bind(2, batch.first_seq);
  execution.bind(3, std::int64_t{batch.count});
  execution.bind(4, batch.follows);
  execution.bind(5, std::int64_t{batch.reports_losses});
  execution.bind(6, crc_of(batch.payload.view()));
  execution.bind(7, batch.payload.view());
  execution.bind(8, row);
}

}  // namespace

Spool::Spool(std::string path, metrics::MetricsCollector& metrics, Moment now)
    : path_(std::move(path)), metrics_(metrics) {
  open(now);
  if (totals_.events > 0) {
    log::info("the spool holds events of the previous run; they are sent first",
              {{"file", path_}, {"events", totals_.events}, {"bytes", totals_.bytes}});
  }
}

Spool::~Spool() { close(); }

// Statements go before the database that they belong to.
void Spool::close() {
  for (SqliteStatement* statement :
       {&insert_, &replace_, &next_, &totals_of_, &totals_through_, &remove_, &remove_through_})
    statement->reset();
  file_.close();
}

// A file that cannot be used is set aside, and a new one takes its place.
void Spool::open(Moment now) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    close();
    std::string why_unusable;
    if (file_.open(path_, why_unusable) && prepare_statements() && read_totals()) return;
    if (why_unusable.empty() && file_.is_busy()) {
      throw process::StartupError{
          {ErrorKind::Unavailable,
           fmt::format("the spool '{}' is open in another process; give each reader its own --source",
                       path_)}};
    }
    if (why_unusable.empty() && !file_.is_corrupt()) break;
    set_aside(why_unusable.empty() ? file_.error_text() : why_unusable, now);
  }
  on_error("open", now);
  close();
}

bool Spool::prepare_statements() {
  insert_ = file_.prepare(
      "INSERT INTO batch (epoch, first_seq, count, follows, reports_losses, crc, payload, row)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  replace_ = file_.prepare(
      "UPDATE batch SET epoch=?, first_seq=?, count=?, follows=?, reports_losses=?, crc=?, payload=?"
      " WHERE row=?");
  next_ = file_.prepare(
      "SELECT row, epoch, first_seq, count, follows, reports_losses, crc, payload FROM batch"
      " WHERE row > ? ORDER BY row LIMIT 1");
  totals_of_ = file_.prepare("SELECT count, length(payload) FROM batch WHERE row = ?");
  totals_through_ = file_.prepare("SELECT sum(count), sum(length(payload)) FROM batch WHERE row <= ?");
  remove_ = file_.prepare("DELETE FROM batch WHERE row = ?");
  remove_through_ = file_.prepare("DELETE FROM batch WHERE row <= ?");
  return insert_ && replace_ && next_ && totals_of_ && totals_through_ && remove_ && remove_through_;
}

bool Spool::read_totals() {
  const SqliteStatement sums = file_.prepare("SELECT max(row), sum(count), sum(length(payload)) FROM batch");
  if (!sums || sqlite3_step(sums.get()) != SQLITE_ROW) return false;
  last_row_ = sqlite3_column_int64(sums.get(), 0);
  totals_ = {column_uint(sums, 1), column_uint(sums, 2)};
  bytes_peak_ = totals_.bytes;
  return true;
}

std::uint64_t Spool::begin_epoch(Moment now) {
  auto epoch = static_cast<std::uint64_t>(now.wall.count);
  if (!is_writable(now)) return epoch;
  const auto last = file_.read_number(
      "SELECT max(epoch) FROM (SELECT epoch FROM life UNION ALL SELECT epoch FROM batch)", -1);
  epoch = std::max(epoch, static_cast<std::uint64_t>(last + 1));
  const std::string sql = fmt::format("BEGIN; DELETE FROM life; INSERT INTO life VALUES ({}); COMMIT", epoch);
  if (!file_.execute(sql.c_str())) on_write_error(now);
  return epoch;
}

std::uint64_t Spool::last_seq_of(std::uint64_t epoch) {
  if (!file_.is_open()) return 0;
  const SqliteStatement last = file_.prepare("SELECT max(first_seq + count - 1) FROM batch WHERE epoch = ?");
  if (!last) return 0;
  SqliteExecution execution(last);
  execution.bind(1, epoch);
  return execution.step() == SQLITE_ROW ? column_uint(last, 0) : 0;
}

bool Spool::is_writable(Moment now) {
  if (now.steady < retry_at_) return false;
  if (!file_.is_open()) open(now);
  return file_.is_open();
}

bool Spool::append(const std::vector<Batch*>& batches, Moment now) {
  if (!is_writable(now)) return false;
  bool written = file_.execute("BEGIN");
  std::int64_t row = last_row_;
  Totals added;
  for (std::size_t i = 0; written && i < batches.size(); ++i) {
    SqliteExecution execution(insert_);
    bind_batch(execution, *batches[i], ++row);
    written = execution.step() == SQLITE_DONE;
    added.events += batches[i]->count;
    added.bytes += batches[i]->payload.size();
  }
  if (!written || !file_.execute("COMMIT")) {
    on_write_error(now);
    return false;
  }
  for (Batch* batch : batches) batch->row = ++last_row_;
  totals_.events += added.events;
  totals_.bytes += added.bytes;
  bytes_peak_ = std::max(bytes_peak_, totals_.bytes);
  return true;
}

bool Spool::replace(const Batch& batch, Moment now) {
  if (!is_writable(now)) return false;
  const Totals before = query_totals(totals_of_, batch.row);
  int result = SQLITE_DONE;
  {
    SqliteExecution execution(replace_);
    bind_batch(execution, batch, batch.row);
    result = execution.step();
  }
  if (result != SQLITE_DONE) {
    on_error("write", now);
    return false;
  }
  totals_.events += batch.count - before.events;
  totals_.bytes += batch.payload.size() - before.bytes;
  return true;
}

void Spool::remove(std::int64_t row, Moment now) { remove_where(totals_of_, remove_, row, now); }

void Spool::remove_through(std::int64_t row, Moment now) {
  remove_where(totals_through_, remove_through_, row, now);
}

Spool::Totals Spool::query_totals(const SqliteStatement& query, std::int64_t row) {
  SqliteExecution execution(query);
  execution.bind(1, row);
  if (execution.step() != SQLITE_ROW) return {};
  return {column_uint(query, 0), column_uint(query, 1)};
}

void Spool::remove_where(const SqliteStatement& totals, const SqliteStatement& removal, std::int64_t row,
                         Moment now) {
  if (!file_.is_open()) return;
  const Totals removed = query_totals(totals, row);
  int result = SQLITE_DONE;
  {
    SqliteExecution execution(removal);
    execution.bind(1, row);
    result = execution.step();
  }
  // A batch that stays is sent again at the next start, and md-publisher recognises it by its number.
  if (result != SQLITE_DONE) return on_error("clear", now);
  totals_.events -= std::min(removed.events, totals_.events);
  totals_.bytes -= std::min(removed.bytes, totals_.bytes);
  if (totals_.events > 0 || bytes_peak_ <= kShrinkAbove) return;
  bytes_peak_ = 0;
  file_.shrink();
}

Spool::Read Spool::read_after(std::int64_t row, Batch& batch, Moment now) {
  if (!file_.is_open()) return Read::Nothing;
  int result = SQLITE_DONE;
  {
    SqliteExecution execution(next_);
    execution.bind(1, row);
    result = execution.step();
    if (result == SQLITE_ROW) return read_row(batch);
  }
  if (result == SQLITE_DONE) return Read::Nothing;
  const unsigned before = times_set_aside_;
  on_error("read", now);
  batch.count = 0;
  return times_set_aside_ != before ? Read::Damaged : Read::Nothing;
}

// The row at which next_ stands.
Spool::Read Spool::read_row(Batch& batch) {
  batch.row = sqlite3_column_int64(next_.get(), 0);
  batch.epoch = column_uint(next_, 1);
  batch.first_seq = column_uint(next_, 2);
  batch.count = static_cast<std::uint32_t>(column_uint(next_, 3));
  batch.follows = column_uint(next_, 4);
  batch.reports_losses = column_uint(next_, 5) != 0;
  const std::int64_t crc = sqlite3_column_int64(next_.get(), 6);
  const std::string_view payload(static_cast<const char*>(sqlite3_column_blob(next_.get(), 7)),
                                 static_cast<std::size_t>(sqlite3_column_bytes(next_.get(), 7)));
  if (crc != crc_of(payload) || batch.count == 0) {
    metrics_.increment_error(metrics::error_type::kSpool);
    log::error("skipped a damaged batch in the spool",
               {{"file", path_}, {"row", batch.row}, {"events", std::uint64_t{batch.count}}});
    return Read::Damaged;
  }
  batch.payload.clear();
  batch.payload.append(payload);
  batch.opened_at = SteadyTime{} - std::chrono::hours(24);  // older than any limit
  return Read::Batch;
}

void Spool::on_error(const char* action, Moment now) {
  const std::string reason = file_.error_text();
  const int system_error = file_.system_error();
  retry_at_ = now.steady + kRetryAfter;
  metrics_.increment_error(metrics::error_type::kSpool);
  if (const auto suppressed = error_limit_.admit(now.steady)) {
    log::error(
        fmt::format("cannot {} the spool; unconfirmed events are only kept in memory. Free disk space, or "
                    "set --state-dir to a writable folder",
                    action),
        {{"file", path_},
         {"reason", reason},
         {"error", system_error == 0 ? "" : std::strerror(system_error)},
         {"suppressed", *suppressed}});
  }
  if (file_.is_corrupt()) set_aside(reason, now);
}

void Spool::on_write_error(Moment now) {
  on_error("write", now);
  if (file_.is_open()) file_.execute("ROLLBACK");
}

// The file and its journal get other names, so that a person can still examine them.
void Spool::set_aside(const std::string& why, Moment now) {
  close();
  const std::string aside = unused_name(path_ + ".aside-", now.wall.count);
  std::error_code failed;
  std::filesystem::rename(path_, aside, failed);
  for (const char* part : {"-wal", "-shm"}) {
    std::error_code ignored;
    std::filesystem::rename(path_ + part, aside + part, ignored);
  }
  ++times_set_aside_;
  metrics_.increment_error(metrics::error_type::kSpool);
  log::error(
      failed ? "the spool is unusable and could not be set aside" : "the spool is unusable; it was set aside",
      {{"file", path_}, {"now", aside}, {"reason", why}, {"events_at_least", totals_.events}});
  last_row_ = 0;
  totals_ = {};
}

}  // namespace mdpipe::reader
