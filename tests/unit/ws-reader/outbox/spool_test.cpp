#include "ws-reader/outbox/spool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>

#include "libshared/process/exit_code.hpp"
#include "tests/unit/ws-reader/outbox/spool_support.hpp"

namespace mdpipe::reader {
namespace {

using testing::SizeIs;
constexpr Moment kOpened{UnixNanos{1'700'000'000'000'000'000}, SteadyTime(std::chrono::hours(1))};
constexpr Moment kLater{kOpened.wall, kOpened.steady + std::chrono::seconds(2)};

Moment opened_at(std::int64_t wall) { return {UnixNanos{wall}, kOpened.steady}; }

Batch make_batch(std::uint64_t epoch, std::uint64_t first, std::uint32_t count, std::size_t bytes = 100) {
  Batch batch;
  batch.epoch = epoch;
  batch.first_seq = first;
  batch.count = count;
  batch.follows = first - 1;
  batch.payload.append(std::string(bytes, static_cast<char>('a' + first % 26)));
  return batch;
}

struct SpoolTest : testing::Test {
  TemporaryFolder folder;
  std::string path = folder.file("spool-gmo.db");
  metrics::MetricsCollector metrics{{"ws-reader", "gmo", "gmo", true, 100}};
  std::unique_ptr<Spool> spool = open();

  std::unique_ptr<Spool> open() { return std::make_unique<Spool>(path, metrics, kOpened); }
  void reopen() {
    spool.reset();
    spool = open();
  }
  bool append(Batch batch) { return spool->append({&batch}, kOpened); }

  std::vector<std::uint64_t> first_seqs() {
    std::vector<std::uint64_t> out;
    Batch batch;
    std::int64_t row = 0;
    while (spool->read_after(row, batch, kOpened) == Spool::Read::Batch) {
      out.push_back(batch.first_seq);
      row = batch.row;
    }
    return out;
  }

  void run_sql(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
};

TEST_F(SpoolTest, gives_back_what_was_written_in_order_also_to_the_next_run) {
  Batch one = make_batch(7, 1, 3);
  one.follows = 0;
  one.reports_losses = true;
  Batch two = make_batch(9, 1, 2, 5000);
  ASSERT_TRUE(spool->append({&one, &two}, kOpened));
  EXPECT_EQ(one.row, 1);
  EXPECT_EQ(two.row, 2);
  reopen();
  EXPECT_EQ(spool->events(), 5U);
  EXPECT_EQ(spool->bytes(), 5100U);
  Batch read;
  ASSERT_EQ(spool->read_after(0, read, kOpened), Spool::Read::Batch);
  EXPECT_EQ(read.epoch, 7U);
  EXPECT_EQ(read.last_seq(), 3U);
  EXPECT_TRUE(read.reports_losses);
  EXPECT_EQ(read.payload.view(), one.payload.view());
  ASSERT_EQ(spool->read_after(read.row, read, kOpened), Spool::Read::Batch);
  EXPECT_EQ(read.epoch, 9U);
  EXPECT_FALSE(read.reports_losses);
  EXPECT_EQ(read.payload.view(), two.payload.view());
  EXPECT_EQ(spool->read_after(read.row, read, kOpened), Spool::Read::Nothing);
}

TEST_F(SpoolTest, forgets_what_is_removed_and_counts_the_rest) {
  for (std::uint64_t first = 1; first <= 5; ++first) ASSERT_TRUE(append(make_batch(7, first, 1)));
  spool->remove_through(2, kOpened);
  spool->remove(4, kOpened);
  EXPECT_EQ(first_seqs(), (std::vector<std::uint64_t>{3, 5}));
  EXPECT_EQ(spool->events(), 2U);
  EXPECT_EQ(spool->bytes(), 200U);
  Batch other = make_batch(7, 50, 4, 10);
  other.row = 3;
  ASSERT_TRUE(spool->replace(other, kOpened));
  EXPECT_EQ(first_seqs(), (std::vector<std::uint64_t>{50, 5}));
  EXPECT_EQ(spool->events(), 5U);
  EXPECT_EQ(spool->bytes(), 110U);
}

TEST_F(SpoolTest, gives_its_space_back_once_it_is_empty) {
  for (std::uint64_t first = 1; first <= 200; ++first)
    ASSERT_TRUE(append(make_batch(7, first, 1, 64U << 10U)));
  spool->remove_through(200, kOpened);
  EXPECT_LT(std::filesystem::file_size(path) + std::filesystem::file_size(path + "-wal"), 200'000U);
}

TEST_F(SpoolTest, each_run_has_a_later_epoch_even_if_the_clock_was_set_back) {
  EXPECT_EQ(spool->begin_epoch(opened_at(5000)), 5000U);
  reopen();
  EXPECT_EQ(spool->begin_epoch(opened_at(1000)), 5001U);
  ASSERT_TRUE(append(make_batch(9000, 1, 1)));
  reopen();
  EXPECT_EQ(spool->begin_epoch(opened_at(2000)), 9001U);
}

TEST_F(SpoolTest, is_readable_with_the_sqlite3_shell_after_the_reader_ended) {
  ASSERT_TRUE(append(make_batch(7, 1, 3)));
  spool.reset();
  run_sql("SELECT row, epoch, first_seq, count, length(payload) FROM batch");
}

TEST_F(SpoolTest, a_second_process_is_refused_by_name) {
  try {
    const Spool second(path, metrics, kOpened);
    FAIL() << "two spools of one file";
  } catch (const process::StartupError& error) {
    EXPECT_THAT(error.error.message, testing::HasSubstr(path));
    EXPECT_EQ(error.error.kind, ErrorKind::Unavailable);
  }
}

TEST_F(SpoolTest, a_file_that_is_no_database_is_set_aside_and_kept) {
  spool.reset();
  std::filesystem::remove(path);
  std::ofstream(path) << std::string(4096, 'x');
  spool = open();
  EXPECT_THAT(folder.names_with("aside"), SizeIs(1));
  EXPECT_EQ(spool->times_set_aside(), 1U);
  EXPECT_TRUE(append(make_batch(7, 1, 1))) << "a new file takes its place";
}

TEST_F(SpoolTest, a_damaged_database_is_set_aside_and_kept) {
  for (std::uint64_t first = 1; first <= 50; ++first) ASSERT_TRUE(append(make_batch(7, first, 1, 4000)));
  spool.reset();
  damage(path, 4096, 8192);
  spool = open();
  EXPECT_THAT(folder.names_with("aside"), testing::Not(testing::IsEmpty()));
  EXPECT_EQ(spool->events(), 0U);
  EXPECT_TRUE(append(make_batch(7, 1, 1)));
}

TEST_F(SpoolTest, a_spool_of_another_version_is_set_aside_and_kept) {
  for (const char* sql : {"PRAGMA user_version=0", "PRAGMA user_version=99", "PRAGMA application_id=1"}) {
    ASSERT_TRUE(append(make_batch(7, 1, 1)));
    spool.reset();
    run_sql(sql);
    const auto before = folder.names_with("aside").size();
    spool = open();
    EXPECT_GT(folder.names_with("aside").size(), before) << sql;
    EXPECT_EQ(spool->events(), 0U);
  }
}

TEST_F(SpoolTest, a_damaged_row_is_left_out_and_named) {
  ASSERT_TRUE(append(make_batch(7, 1, 3)));
  ASSERT_TRUE(append(make_batch(7, 4, 1)));
  spool.reset();
  run_sql("UPDATE batch SET payload = x'00' WHERE row = 1");
  spool = open();
  Batch batch;
  EXPECT_EQ(spool->read_after(0, batch, kOpened), Spool::Read::Damaged);
  EXPECT_EQ(batch.count, 3U);
  EXPECT_EQ(batch.row, 1);
  EXPECT_EQ(spool->read_after(batch.row, batch, kOpened), Spool::Read::Batch);
  EXPECT_EQ(batch.first_seq, 4U);
}

TEST_F(SpoolTest, a_folder_that_cannot_be_written_is_counted_and_tried_again) {
  spool.reset();
  std::ofstream(folder.file("file")) << "no folder";
  Spool homeless(folder.file("file") + "/spool.db", metrics, kOpened);
  EXPECT_FALSE(homeless.is_writable(kOpened));
  Batch batch = make_batch(7, 1, 1);
  EXPECT_FALSE(homeless.append({&batch}, kOpened));
  EXPECT_EQ(batch.row, 0);
  std::filesystem::remove(folder.file("file"));
  EXPECT_TRUE(homeless.append({&batch}, kLater));
}

// The limit on a file's size stands in for a full disk: write() fails in the same way.
TEST_F(SpoolTest, a_disk_without_room_refuses_the_whole_append_and_keeps_what_is_there) {
  ASSERT_TRUE(append(make_batch(7, 1, 1)));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 256U << 10U;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Batch fits = make_batch(7, 2, 1);
  Batch too_large = make_batch(7, 3, 1, 1U << 20U);
  const bool written = spool->append({&fits, &too_large}, kOpened);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  EXPECT_FALSE(written);
  EXPECT_EQ(fits.row, 0);
  EXPECT_EQ(spool->events(), 1U);
  EXPECT_FALSE(spool->is_writable(kOpened)) << "not before a second has passed";
  EXPECT_TRUE(spool->append({&fits, &too_large}, kLater));
  EXPECT_EQ(first_seqs(), (std::vector<std::uint64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace mdpipe::reader
