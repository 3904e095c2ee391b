#include "ws-reader/outbox/spool.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::reader {
namespace {

// "mdsp": distinguishes a spool from other databases.
constexpr int kApplicationId = 0x6d647370;
constexpr int kSpoolVersion = 1;
constexpr auto kRetryAfter = std::chrono::seconds(1);
// An empty spool whose file never held more than this is not shrunk.
constexpr std::size_t kShrinkAbove = 4U << 20U;

std::int64_t crc_of(std::string_view payload) {
  return static_cast<std::int64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(payload.data()), static_cast<uInt>(payload.size())));
}

std::uint64_t column_uint(sqlite3_stmt* row, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(row, column));
}

// One execution of a statement: resets it at the end of the scope.
class Execution {
 public:
  explicit Execution(sqlite3_stmt* statement) : statement_(statement) {}
  ~Execution() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  void bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::string_view blob) {
    // Not copied: the batch outlives the execution.
    sqlite3_bind_blob(statement_, at, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
  }
  int step() { return sqlite3_step(statement_); }

 private:
  sqlite3_stmt* statement_;
};

// Two files that are set aside at the same time must not get the same name.
std::string unused_name(const std::string& prefix, std::int64_t number) {
  std::error_code ignored;
  std::string name = prefix + std::to_string(number);
  while (std::filesystem::exists(name, ignored)) name = prefix + std::to_string(++number);
  return name;
}

void bind_batch(Execution& execution, const Batch& batch) {
  execution.bind(1, batch.epoch);
  execution.bind(2, batch.first_seq);
  execution.bind(3, std::int64_t{batch.count});
  execution.bind(4, batch.follows);
  execution.bind(5, std::int64_t{batch.reports_losses});
  execution.bind(6, crc_of(batch.payload.view()));
  execution.bind(7, batch.payload.view());
}

}  // namespace

void Spool::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void Spool::Closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Spool::Spool(std::string path, metrics::MetricsCollector& metrics, Moment now)
    : path_(std::move(path)), metrics_(metrics) {
  open(now);
  if (events_ > 0) {
    log::info("the spool holds events of the previous run; they are sent first",
              {{"file", path_}, {"events", events_}, {"bytes", bytes_}});
  }
}

Spool::~Spool() { close(); }

void Spool::close() {
  for (Statement* statement :
       {&insert_, &replace_, &next_, &totals_of_, &totals_through_, &remove_, &remove_through_})
    statement->reset();
  database_.reset();
}

void Spool::open(Moment now) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  for (int attempt = 0; attempt < 2; ++attempt) {
    close();
    sqlite3* opened = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int rc = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
    database_.reset(opened);
    std::string unusable;  // why a sound file is not usable
    if (rc == SQLITE_OK && lock_file() && is_ours(unusable) && make_tables() && prepare_statements() &&
        count_rows())
      return;
    const int error = unusable.empty() ? sqlite3_errcode(opened) : SQLITE_OK;
    if (error == SQLITE_BUSY || error == SQLITE_LOCKED) {
      throw process::StartupError{
          {ErrorKind::Unavailable,
           fmt::format("the spool '{}' is open in another process; give each reader its own --source",
                       path_)}};
    }
    if (unusable.empty() && error != SQLITE_CORRUPT && error != SQLITE_NOTADB) break;
    set_aside(unusable.empty() ? sqlite3_errmsg(opened) : unusable, now);
  }
  on_error("open", now);
  close();
}

// EXCLUSIVE: a second process gets an error, and no shared memory file is needed.
bool Spool::lock_file() {
  return execute("PRAGMA locking_mode=EXCLUSIVE") && execute("PRAGMA auto_vacuum=INCREMENTAL") &&
         execute("PRAGMA journal_mode=WAL") && execute("PRAGMA synchronous=NORMAL");
}

// Marks a new file as ours. False with the reason in `unusable`; if that is empty, SQLite has the error.
bool Spool::is_ours(std::string& unusable) {
  const int tables = read_number("SELECT count(*) FROM sqlite_master");
  if (tables < 0) return false;
  if (tables == 0) {
    return execute(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, kSpoolVersion)
            .c_str());
  }
  const int version = read_number("PRAGMA user_version");
  if (read_number("PRAGMA application_id") != kApplicationId) {
    unusable = "it is not a spool of ws-reader";
  } else if (version != kSpoolVersion) {
    unusable = fmt::format(
        "its spool version is {}, and this program supports {}; the release that wrote it can send its "
        "events",
        version, kSpoolVersion);
  } else {
    const Statement check = prepare("PRAGMA quick_check(1)");
    if (!check || sqlite3_step(check.get()) != SQLITE_ROW) return false;
    const std::string verdict = reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0));
    if (verdict != "ok") unusable = verdict;
  }
  return unusable.empty();
}

// -1 if it cannot be read.
int Spool::read_number(const char* query) {
  const Statement statement = prepare(query);
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) return -1;
  return sqlite3_column_int(statement.get(), 0);
}

bool Spool::make_tables() {
  return execute(
      "CREATE TABLE IF NOT EXISTS batch (row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
      " first_seq INTEGER NOT NULL, count INTEGER NOT NULL, follows INTEGER NOT NULL,"
      " reports_losses INTEGER NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL);"
      "CREATE TABLE IF NOT EXISTS life (epoch INTEGER NOT NULL)");
}

bool Spool::prepare_statements() {
  insert_ = prepare(
      "INSERT INTO batch (epoch, first_seq, count, follows, reports_losses, crc, payload, row)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  replace_ = prepare(
      "UPDATE batch SET epoch=?, first_seq=?, count=?, follows=?, reports_losses=?, crc=?, payload=?"
      " WHERE row=?");
  next_ = prepare(
      "SELECT row, epoch, first_seq, count, follows, reports_losses, crc, payload FROM batch"
      " WHERE row > ? ORDER BY row LIMIT 1");
  totals_of_ = prepare("SELECT count, length(payload) FROM batch WHERE row = ?");
  totals_through_ = prepare("SELECT sum(count), sum(length(payload)) FROM batch WHERE row <= ?");
  remove_ = prepare("DELETE FROM batch WHERE row = ?");
  remove_through_ = prepare("DELETE FROM batch WHERE row <= ?");
  return insert_ && replace_ && next_ && totals_of_ && totals_through_ && remove_ && remove_through_;
}

bool Spool::count_rows() {
  const Statement sums = prepare("SELECT max(row), sum(count), sum(length(payload)) FROM batch");
  if (!sums || sqlite3_step(sums.get()) != SQLITE_ROW) return false;
  last_row_ = sqlite3_column_int64(sums.get(), 0);
  events_ = column_uint(sums.get(), 1);
  bytes_ = column_uint(sums.get(), 2);
  bytes_peak_ = bytes_;
  return true;
}

bool Spool::execute(const char* sql) {
  return sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

Spool::Statement Spool::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  return Statement(statement);
}

std::uint64_t Spool::begin_epoch(Moment now) {
  auto epoch = static_cast<std::uint64_t>(now.wall.count);
  if (!is_writable(now)) return epoch;
  {
    const Statement last =
        prepare("SELECT max(epoch) FROM (SELECT epoch FROM life UNION ALL SELECT epoch FROM batch)");
    if (last && sqlite3_step(last.get()) == SQLITE_ROW)
      epoch = std::max(epoch, column_uint(last.get(), 0) + 1);
  }
  const std::string sql = fmt::format("BEGIN; DELETE FROM life; INSERT INTO life VALUES ({}); COMMIT", epoch);
  if (!execute(sql.c_str())) {
    on_error("write", now);
    if (database_) execute("ROLLBACK");
  }
  return epoch;
}

std::uint64_t Spool::last_seq_of(std::uint64_t epoch) {
  if (!database_) return 0;
  const Statement last = prepare("SELECT max(first_seq + count - 1) FROM batch WHERE epoch = ?");
  if (!last) return 0;
  sqlite3_bind_int64(last.get(), 1, static_cast<std::int64_t>(epoch));
  return sqlite3_step(last.get()) == SQLITE_ROW ? column_uint(last.get(), 0) : 0;
}

bool Spool::is_writable(Moment now) {
  if (now.steady < retry_at_) return false;
  if (!database_) open(now);
  return database_ != nullptr;
}

bool Spool::append(const std::vector<Batch*>& batches, Moment now) {
  if (!is_writable(now)) return false;
  bool written = execute("BEGIN");
  std::int64_t row = last_row_;
  std::size_t bytes = 0;
  std::uint64_t events = 0;
  for (std::size_t i = 0; written && i < batches.size(); ++i) {
    Execution execution(insert_.get());
    bind_batch(execution, *batches[i]);
    execution.bind(8, ++row);
    written = execution.step() == SQLITE_DONE;
    bytes += batches[i]->payload.size();
    events += batches[i]->count;
  }
  if (!written || !execute("COMMIT")) {
    on_error("write", now);
    if (database_) execute("ROLLBACK");
    return false;
  }
  for (Batch* batch : batches) batch->row = ++last_row_;
  bytes_ += bytes;
  events_ += events;
  bytes_peak_ = std::max(bytes_peak_, bytes_);
  return true;
}

bool Spool::replace(const Batch& batch, Moment now) {
  if (!is_writable(now)) return false;
  const Totals before = run_totals(totals_of_, batch.row);
  int result = SQLITE_DONE;
  {
    Execution execution(replace_.get());
    bind_batch(execution, batch);
    execution.bind(8, batch.row);
    result = execution.step();
  }
  if (result != SQLITE_DONE) {
    on_error("write", now);
    return false;
  }
  bytes_ += batch.payload.size() - before.bytes;
  events_ += batch.count - before.events;
  return true;
}

void Spool::remove(std::int64_t row, Moment now) { remove_where(totals_of_, remove_, row, now); }

void Spool::remove_through(std::int64_t row, Moment now) {
  remove_where(totals_through_, remove_through_, row, now);
}

Spool::Totals Spool::run_totals(Statement& query, std::int64_t row) {
  Execution execution(query.get());
  execution.bind(1, row);
  if (execution.step() != SQLITE_ROW) return {};
  return {column_uint(query.get(), 0), column_uint(query.get(), 1)};
}

void Spool::remove_where(Statement& totals, Statement& removal, std::int64_t row, Moment now) {
  if (!database_) return;
  const Totals removed = run_totals(totals, row);
  int result = SQLITE_DONE;
  {
    Execution execution(removal.get());
    execution.bind(1, row);
    result = execution.step();
  }
  // A batch that stays is sent again at the next start, and md-publisher recognises it by its number.
  if (result != SQLITE_DONE) return on_error("clear", now);
  bytes_ -= std::min(removed.bytes, bytes_);
  events_ -= std::min(removed.events, events_);
  if (events_ == 0 && bytes_peak_ > kShrinkAbove) shrink_file();
}

// For an empty spool. As long as there are rows, SQLite reuses the space of removed ones.
void Spool::shrink_file() {
  bytes_peak_ = 0;
  execute("PRAGMA incremental_vacuum");
  execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Spool::drop_cache() {
  if (database_) sqlite3_db_release_memory(database_.get());
}

Spool::Read Spool::read_after(std::int64_t row, Batch& batch, Moment now) {
  if (!database_) return Read::Nothing;
  int result = SQLITE_DONE;
  {
    Execution execution(next_.get());
    execution.bind(1, row);
    result = execution.step();
    if (result == SQLITE_ROW) return read_row(next_.get(), batch);
  }
  if (result == SQLITE_DONE) return Read::Nothing;
  const unsigned before = times_set_aside_;
  on_error("read", now);
  batch.count = 0;
  return times_set_aside_ != before ? Read::Damaged : Read::Nothing;
}

Spool::Read Spool::read_row(sqlite3_stmt* found, Batch& batch) {
  batch.row = sqlite3_column_int64(found, 0);
  batch.epoch = column_uint(found, 1);
  batch.first_seq = column_uint(found, 2);
  batch.count = static_cast<std::uint32_t>(column_uint(found, 3));
  batch.follows = column_uint(found, 4);
  batch.reports_losses = sqlite3_column_int(found, 5) != 0;
  const std::string_view payload(static_cast<const char*>(sqlite3_column_blob(found, 7)),
                                 static_cast<std::size_t>(sqlite3_column_bytes(found, 7)));
  if (sqlite3_column_int64(found, 6) != crc_of(payload) || batch.count == 0) {
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
  const int error = database_ ? sqlite3_errcode(database_.get()) : SQLITE_CANTOPEN;
  const std::string reason = database_ ? sqlite3_errmsg(database_.get()) : "unable to open database file";
  const int system_error = database_ ? sqlite3_system_errno(database_.get()) : 0;
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
  if (error == SQLITE_CORRUPT || error == SQLITE_NOTADB) set_aside(reason, now);
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
      {{"file", path_}, {"now", aside}, {"reason", why}, {"events_at_least", events_}});
  last_row_ = 0;
  bytes_ = 0;
  events_ = 0;
}

}  // namespace mdpipe::reader
