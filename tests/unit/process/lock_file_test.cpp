#include "libshared/process/lock_file.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mdpipe::process {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class LockFileTest : public testing::Test {
 protected:
  LockFileTest() {
    char name[] = "/tmp/mdpipe-lock-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/x.lock";
  }
  ~LockFileTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_;
};

// Runs `body` in a child and returns its exit code.
template <typename Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(LockFileTest, a_second_process_is_refused_and_told_who_holds_it) {
  const auto held = LockFile::acquire(path_);
  ASSERT_TRUE(held);
  const std::string pid = "(pid " + std::to_string(getpid()) + ")";
  EXPECT_EQ(in_child([&] {
              const auto second = LockFile::acquire(path_);
              if (second) return 1;
              if (second.error().kind != ErrorKind::Unavailable) return 2;
              return second.error().message.find(pid) != std::string::npos ? 0 : 3;
            }),
            0);
}

TEST_F(LockFileTest, is_free_again_once_its_holder_is_gone) {
  ASSERT_TRUE(LockFile::acquire(path_));
  EXPECT_EQ(in_child([&] { return LockFile::acquire(path_) ? 0 : 1; }), 0);
}

TEST_F(LockFileTest, is_free_again_after_a_kill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = LockFile::acquire(path_);
    (void)!write(ready[1], "x", 1);
    pause();
    _exit(held ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(LockFile::acquire(path_));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(LockFile::acquire(path_));
  close(ready[0]);
  close(ready[1]);
}

TEST_F(LockFileTest, moves_with_its_object) {
  auto first = LockFile::acquire(path_);
  ASSERT_TRUE(first);
  {
    const LockFile moved = std::move(first.value());
    EXPECT_FALSE(LockFile::acquire(path_));
  }
  EXPECT_TRUE(LockFile::acquire(path_));
}

TEST_F(LockFileTest, names_no_digits_of_a_longer_pid_before) {
  std::ofstream(path_) << "99999999999999999999999999";
  const auto held = LockFile::acquire(path_);
  ASSERT_TRUE(held);
  EXPECT_THAT(LockFile::acquire(path_).error().message, HasSubstr("(pid " + std::to_string(getpid()) + ")"));
}

TEST_F(LockFileTest, a_folder_that_is_missing_is_bad_configuration) {
  const auto lock = LockFile::acquire(folder_ + "/missing/x.lock");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().kind, ErrorKind::BadConfig);
  EXPECT_THAT(lock.error().message, AllOf(HasSubstr("missing/x.lock"), HasSubstr("--runtime-dir")));
}

}  // namespace
}  // namespace mdpipe::process
