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

// "mdsp": tells our files from other databases.
constexpr int kApplicationId = 0x6d647370;
constexpr int kSpoolVersion = 1;
constexpr auto kRetryAfter = std::chrono::seconds(1);
// An empty file of this size need not shrink.
constexpr std::size_t kKeptBytes = 4U << 20U;

std::int64_t crc_of(std::string_view payload) {
  return static_cast<std::int64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(payload.data()), static_cast<uInt>(payload.size())));
}

std::uint64_t column_uint(sqlite3_stmt* row, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(row, column));
}

// Ends a statement's run however the function is left.
class Run {
 public:
  explicit Run(sqlite3_stmt* statement) : statement_(statement) {}
  ~Run() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  void bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::string_view blob) {
    // Copies nothing: the batch outlives the run.
    sqlite3_bind_blob(statement_, at, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
  }
  int step() { return sqlite3_step(statement_); }

 private:
  sqlite3_stmt* statement_;
};

// Two files may be set aside at one time; neither replaces the other.
std::string unused_name(const std::string& prefix, std::int64_t number) {
  std::error_code ignored;
  std::string name = prefix + std::to_string(number);
  while (std::filesystem::exists(name, ignored)) name = prefix + std::to_string(++number);
  return name;
}

void bind_batch(Run& run, const Batch& batch) {
  run.bind(1, batch.epoch);
  run.bind(2, batch.first_seq);
  run.bind(3, std::int64_t{batch.count});
  run.bind(4, batch.follows);
  run.bind(5, std::int64_t{batch.reports_losses});
  run.bind(6, crc_of(batch.payload.view()));
  run.bind(7, batch.payload.view());
}

}  // namespace

void Spool::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void Spool::Closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Spool::Spool(std::string path, metrics::MetricsCollector& metrics, Moment now)
    : path_(std::move(path)), metrics_(metrics) {
  open(now);
  if (events_ > 0) {
    log::info("the spool holds events of an earlier life; they go first",
              {{"file", path_}, {"events", events_}, {"bytes", bytes_}});
  }
}

Spool::~Spool() { close(); }

void Spool::close() {
  for (Statement* statement :
       {&insert_, &replace_, &next_, &size_of_, &size_through_, &remove_, &remove_through_})
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
    std::string unusable;  // a sound file that is not for us
    if (rc == SQLITE_OK && lock_file() && is_ours(unusable) && make_table()) return;
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
  on_error("opened", now);
  close();
}

// EXCLUSIVE: a second process is refused, and no shared memory file is needed.
bool Spool::lock_file() {
  return execute("PRAGMA locking_mode=EXCLUSIVE") && execute("PRAGMA auto_vacuum=INCREMENTAL") &&
         execute("PRAGMA journal_mode=WAL") && execute("PRAGMA synchronous=NORMAL");
}

// A new file is made ours. False with the reason in `unusable`, or, where that stays empty, with SQLite's
// error.
bool Spool::is_ours(std::string& unusable) {
  const auto number = [this](const char* query) {
    const Statement statement = prepare(query);
    if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) return -1;
    return sqlite3_column_int(statement.get(), 0);
  };
  const int tables = number("SELECT count(*) FROM sqlite_master");
  if (tables < 0) return false;
  if (tables == 0) {
    return execute(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, kSpoolVersion)
            .c_str());
  }
  const int version = number("PRAGMA user_version");
  if (number("PRAGMA application_id") != kApplicationId) {
    unusable = "it is no spool of ws-reader";
  } else if (version != kSpoolVersion) {
    unusable = fmt::format(
        "it is of spool version {} where this program knows {}; the release that wrote it can send its "
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

bool Spool::make_table() {
  if (!execute(
          "CREATE TABLE IF NOT EXISTS batch (row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, first_seq "
          "INTEGER NOT NULL, count INTEGER NOT NULL, follows INTEGER NOT NULL, reports_losses INTEGER NOT "
          "NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL); CREATE TABLE IF NOT EXISTS life (epoch "
          "INTEGER NOT "
          "NULL)"))
    return false;
  insert_ = prepare(
      "INSERT INTO batch (epoch, first_seq, count, follows, reports_losses, crc, payload, row) VALUES (?, ?, "
      "?, "
      "?, ?, ?, ?, ?)");
  replace_ = prepare(
      "UPDATE batch SET epoch=?, first_seq=?, count=?, follows=?, reports_losses=?, crc=?, payload=? WHERE "
      "row=?");
  next_ = prepare(
      "SELECT row, epoch, first_seq, count, follows, reports_losses, crc, payload FROM batch WHERE row > ? "
      "ORDER "
      "BY row LIMIT 1");
  size_of_ = prepare("SELECT count, length(payload) FROM batch WHERE row = ?");
  size_through_ = prepare("SELECT sum(count), sum(length(payload)) FROM batch WHERE row <= ?");
  remove_ = prepare("DELETE FROM batch WHERE row = ?");
  remove_through_ = prepare("DELETE FROM batch WHERE row <= ?");
  return insert_ && replace_ && next_ && size_of_ && size_through_ && remove_ && remove_through_ &&
         count_rows();
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
    on_error("written", now);
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
    Run run(insert_.get());
    bind_batch(run, *batches[i]);
    run.bind(8, ++row);
    written = run.step() == SQLITE_DONE;
    bytes += batches[i]->payload.size();
    events += batches[i]->count;
  }
  if (!written || !execute("COMMIT")) {
    on_error("written", now);
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
  std::size_t bytes_before = 0;
  std::uint64_t events_before = 0;
  {
    Run run(size_of_.get());
    run.bind(1, batch.row);
    if (run.step() == SQLITE_ROW) {
      events_before = column_uint(size_of_.get(), 0);
      bytes_before = column_uint(size_of_.get(), 1);
    }
  }
  int result = SQLITE_DONE;
  {
    Run run(replace_.get());
    bind_batch(run, batch);
    run.bind(8, batch.row);
    result = run.step();
  }
  if (result != SQLITE_DONE) {
    on_error("written", now);
    return false;
  }
  bytes_ += batch.payload.size() - bytes_before;
  events_ += batch.count - events_before;
  return true;
}

void Spool::remove(std::int64_t row, Moment now) { remove_where(size_of_, remove_, row, now); }

void Spool::remove_through(std::int64_t row, Moment now) {
  remove_where(size_through_, remove_through_, row, now);
}

void Spool::remove_where(Statement& sizes, Statement& removal, std::int64_t row, Moment now) {
  if (!database_) return;
  std::size_t bytes = 0;
  std::uint64_t events = 0;
  {
    Run run(sizes.get());
    run.bind(1, row);
    if (run.step() == SQLITE_ROW) {
      events = column_uint(sizes.get(), 0);
      bytes = column_uint(sizes.get(), 1);
    }
  }
  int result = SQLITE_DONE;
  {
    Run run(removal.get());
    run.bind(1, row);
    result = run.step();
  }
  // What stays although it is done comes again at the next start, and md-publisher knows it by its number.
  if (result != SQLITE_DONE) return on_error("cleared", now);
  bytes_ -= std::min(bytes, bytes_);
  events_ -= std::min(events, events_);
  if (events_ == 0 && bytes_peak_ > kKeptBytes) give_space_back();
}

// An empty file is small again; while there are rows their space is reused.
void Spool::give_space_back() {
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
    Run run(next_.get());
    run.bind(1, row);
    result = run.step();
    if (result == SQLITE_ROW) return take_row(next_.get(), batch);
  }
  if (result == SQLITE_DONE) return Read::Nothing;
  const unsigned before = times_set_aside_;
  on_error("read", now);
  batch.count = 0;
  return times_set_aside_ != before ? Read::Damaged : Read::Nothing;
}

Spool::Read Spool::take_row(sqlite3_stmt* found, Batch& batch) {
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
    log::error("a batch in the spool is damaged and left out",
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
  const std::string reason = database_ ? sqlite3_errmsg(database_.get()) : "cannot be opened";
  const int system_error = database_ ? sqlite3_system_errno(database_.get()) : 0;
  retry_at_ = now.steady + kRetryAfter;
  metrics_.increment_error(metrics::error_type::kSpool);
  if (const auto suppressed = error_limit_.admit(now.steady)) {
    log::error(
        fmt::format("the spool cannot be {}; unconfirmed events are kept in memory alone. Make room on the "
                    "disk, or name a writable folder with --state-dir",
                    action),
        {{"file", path_},
         {"reason", reason},
         {"error", system_error == 0 ? "" : std::strerror(system_error)},
         {"suppressed", *suppressed}});
  }
  if (error == SQLITE_CORRUPT || error == SQLITE_NOTADB) set_aside(reason, now);
}

// The file and its journal get other names, so that what is in them can still be looked at.
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
  log::error(failed ? "the spool cannot be used and cannot be set aside"
                    : "the spool cannot be used; it was set aside",
             {{"file", path_}, {"now", aside}, {"reason", why}, {"events_at_least", events_}});
  last_row_ = 0;
  bytes_ = 0;
  events_ = 0;
}

}  // namespace mdpipe::reader
