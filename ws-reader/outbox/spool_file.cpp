#include "ws-reader/outbox/spool_file.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <system_error>

namespace mdpipe::reader {
namespace {

// "mdsp": distinguishes a spool from other databases.
constexpr int kApplicationId = 0x6d647370;
constexpr int kSpoolVersion = 1;

}  // namespace

void SqliteCloser::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void SqliteCloser::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteExecution::~SqliteExecution() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteExecution::bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }

void SqliteExecution::bind(int at, std::string_view blob) {
  sqlite3_bind_blob(statement_, at, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
}

int SqliteExecution::step() { return sqlite3_step(statement_); }

std::uint64_t column_uint(const SqliteStatement& row, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(row.get(), column));
}

bool SpoolFile::open(const std::string& path, std::string& why_unusable) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  sqlite3* opened = nullptr;
  const int rc = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database_.reset(opened);
  return rc == SQLITE_OK && lock() && check_or_mark(why_unusable) && make_tables();
}

// EXCLUSIVE: a second process gets an error, and no shared memory file is needed.
bool SpoolFile::lock() {
  return execute("PRAGMA locking_mode=EXCLUSIVE") && execute("PRAGMA auto_vacuum=INCREMENTAL") &&
         execute("PRAGMA journal_mode=WAL") && execute("PRAGMA synchronous=NORMAL");
}

// Marks a new file as a spool.
bool SpoolFile::check_or_mark(std::string& why_unusable) {
  const auto tables = read_number("SELECT count(*) FROM sqlite_master", -1);
  if (tables < 0) return false;
  if (tables == 0) {
    return execute(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, kSpoolVersion)
            .c_str());
  }
  const auto version = read_number("PRAGMA user_version", -1);
  if (read_number("PRAGMA application_id", -1) != kApplicationId) {
    why_unusable = "it is not a spool of ws-reader";
  } else if (version != kSpoolVersion) {
    why_unusable = fmt::format(
        "its spool version is {}, and this program supports {}; the release that wrote it can send its "
        "events",
        version, kSpoolVersion);
  }
  return why_unusable.empty() && check_pages(why_unusable);
}

bool SpoolFile::check_pages(std::string& why_unusable) {
  const SqliteStatement check = prepare("PRAGMA quick_check(1)");
  if (!check || sqlite3_step(check.get()) != SQLITE_ROW) return false;
  const std::string verdict = reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0));
  if (verdict != "ok") why_unusable = verdict;
  return why_unusable.empty();
}

bool SpoolFile::make_tables() {
  return execute(
      "CREATE TABLE IF NOT EXISTS batch (row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
      " first_seq INTEGER NOT NULL, count INTEGER NOT NULL, follows INTEGER NOT NULL,"
      " reports_losses INTEGER NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL);"
      "CREATE TABLE IF NOT EXISTS life (epoch INTEGER NOT NULL)");
}

bool SpoolFile::execute(const char* sql) {
  return sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

SqliteStatement SpoolFile::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  return SqliteStatement(statement);
}

std::int64_t SpoolFile::read_number(const char* query, std::int64_t otherwise) {
  const SqliteStatement statement = prepare(query);
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) return otherwise;
  return sqlite3_column_int64(statement.get(), 0);
}

void SpoolFile::shrink() {
  execute("PRAGMA incremental_vacuum");
  execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

void SpoolFile::drop_cache() {
  if (database_) sqlite3_db_release_memory(database_.get());
}

int SpoolFile::error() const { return database_ ? sqlite3_errcode(database_.get()) : SQLITE_CANTOPEN; }

std::string SpoolFile::error_text() const {
  return database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(SQLITE_CANTOPEN);
}

int SpoolFile::system_error() const { return database_ ? sqlite3_system_errno(database_.get()) : 0; }

bool SpoolFile::is_busy() const { return error() == SQLITE_BUSY || error() == SQLITE_LOCKED; }

bool SpoolFile::is_corrupt() const { return error() == SQLITE_CORRUPT || error() == SQLITE_NOTADB; }

}  // namespace mdpipe::reader
