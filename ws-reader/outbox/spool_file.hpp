#pragma once
// The SQLite file of the spool: opens, locks, checks and makes it, and executes statements. Spool knows what
// the rows mean.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace mdpipe::reader {

struct SqliteCloser {
  void operator()(sqlite3* database) const;
  void operator()(sqlite3_stmt* statement) const;
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteCloser>;

// One execution of a statement: resets it at the end of the scope.
class SqliteExecution {
 public:
  explicit SqliteExecution(const SqliteStatement& statement) : statement_(statement.get()) {}
  ~SqliteExecution();
  SqliteExecution(const SqliteExecution&) = delete;
  SqliteExecution& operator=(const SqliteExecution&) = delete;

  void bind(int at, std::int64_t value);
  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, std::string_view blob);  // not copied: it must outlive the execution
  // SQLite's result code.
  int step();

 private:
  sqlite3_stmt* statement_;
};

std::uint64_t column_uint(const SqliteStatement& row, int column);

class SpoolFile {
 public:
  // False if the file cannot be used: `why_unusable` says why if it is a sound file, error() if not.
  bool open(const std::string& path, std::string& why_unusable);
  void close() { database_.reset(); }
  [[nodiscard]] bool is_open() const { return database_ != nullptr; }

  bool execute(const char* sql);
  SqliteStatement prepare(const char* sql);
  // The first column of the first row; `otherwise` if there is none.
  std::int64_t read_number(const char* query, std::int64_t otherwise);
  // For a spool without rows. As long as there are rows, SQLite reuses the space of removed ones.
  void shrink();
  // Frees the pages that are cached in memory.
  void drop_cache();

  // SQLite's code of the latest error, its text, and errno of the system call.
  [[nodiscard]] int error() const;
  [[nodiscard]] std::string error_text() const;
  [[nodiscard]] int system_error() const;
  [[nodiscard]] bool is_busy() const;  // another process has it open
  [[nodiscard]] bool is_corrupt() const;

 private:
  bool lock();
  bool check_or_mark(std::string& why_unusable);
  bool check_pages(std::string& why_unusable);
  bool make_tables();

  std::unique_ptr<sqlite3, SqliteCloser> database_;
};

}  // namespace mdpipe::reader
