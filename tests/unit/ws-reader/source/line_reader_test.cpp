#include "ws-reader/source/line_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace mdpipe::reader {
namespace {

constexpr std::size_t kLineMax = 16;

// A LineReader at one end of a pipe, or on a file, and what it said.
class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() {
    EXPECT_EQ(pipe2(pipe_.data(), O_CLOEXEC), 0);
    reader_.emplace(io_, pipe_[0], kLineMax, handlers());
  }
  ~LineReaderTest() override {
    reader_.reset();
    for (const int fd : pipe_) close(fd);
  }

  LineCallbacks handlers() {
    return {[this](std::string_view line) {
              lines_.emplace_back(line);
              if (after_line_) after_line_();
            },
            [this](std::size_t bytes) { too_long_.push_back(bytes); }, [this] { ++ends_; }};
  }

  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(pipe_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void end_input() {
    close(pipe_[1]);
    pipe_[1] = -1;
  }
  void poll() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  std::array<int, 2> pipe_{-1, -1};
  std::optional<LineReader> reader_;
  std::vector<std::string> lines_;
  std::vector<std::size_t> too_long_;
  int ends_ = 0;
  std::function<void()> after_line_;
};

using Lines = std::vector<std::string>;

TEST_F(LineReaderTest, reads_lines_and_the_end) {
  reader_->start();
  write("one\ntwo\n");
  end_input();
  io_.run();
  EXPECT_EQ(lines_, (Lines{"one", "two"}));
  EXPECT_EQ(ends_, 1);
}

TEST_F(LineReaderTest, takes_a_last_line_without_its_end) {
  reader_->start();
  write("one\ntwo");
  end_input();
  io_.run();
  EXPECT_EQ(lines_, (Lines{"one", "two"}));
}

TEST_F(LineReaderTest, passes_over_empty_lines) {
  reader_->start();
  write("\n\none\n\n");
  end_input();
  io_.run();
  EXPECT_EQ(lines_, (Lines{"one"}));
}

TEST_F(LineReaderTest, skips_lines_over_the_limit_and_goes_on) {
  reader_->start();
  write(std::string(kLineMax, 'a') + "\n" + std::string(kLineMax + 1, 'b') + "\nnext\n" +
        std::string(100, 'c'));
  end_input();
  io_.run();
  EXPECT_EQ(lines_, (Lines{std::string(kLineMax, 'a'), "next"}));
  EXPECT_EQ(too_long_, (std::vector<std::size_t>{kLineMax + 1, 100}));
}

// The same lines, however they are cut into pieces.
TEST(LineReader, cutting_the_input_anywhere_changes_nothing) {
  const std::string input =
      "one\n\n" + std::string(kLineMax, 'a') + "\n" + std::string(kLineMax + 9, 'b') + "\nlast\nrest";
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(pipe2(pipe.data(), O_CLOEXEC), 0);
    Lines lines;
    std::vector<std::size_t> too_long;
    asio::io_context io;
    {
      LineReader reader(io, pipe[0], kLineMax,
                        {[&](std::string_view line) { lines.emplace_back(line); },
                         [&](std::size_t bytes) { too_long.push_back(bytes); }, [] {}});
      reader.start();
      ASSERT_EQ(::write(pipe[1], input.data(), cut), static_cast<ssize_t>(cut));
      io.poll();
      ASSERT_EQ(::write(pipe[1], input.data() + cut, input.size() - cut),
                static_cast<ssize_t>(input.size() - cut));
      close(pipe[1]);
      io.restart();
      io.run();
    }
    close(pipe[0]);
    ASSERT_EQ(lines, (Lines{"one", std::string(kLineMax, 'a'), "last", "rest"})) << "cut at " << cut;
    ASSERT_EQ(too_long, std::vector<std::size_t>{kLineMax + 9}) << "cut at " << cut;
  }
}

TEST_F(LineReaderTest, reads_nothing_while_paused) {
  reader_->start();
  reader_->pause();
  write("one\n");
  poll();
  EXPECT_TRUE(lines_.empty());
  reader_->resume();
  poll();
  EXPECT_EQ(lines_, (Lines{"one"}));
}

TEST_F(LineReaderTest, can_be_paused_from_a_line_and_resumed_later) {
  after_line_ = [this] { reader_->pause(); };
  reader_->start();
  write("one\n");
  poll();
  write("two\n");
  poll();
  EXPECT_EQ(lines_, (Lines{"one"}));
  reader_->resume();
  poll();
  EXPECT_EQ(lines_, (Lines{"one", "two"}));
}

// Each line may say "resume" although nothing is paused, as the watch over the link does: still one wait at a
// time.
TEST_F(LineReaderTest, resuming_what_is_not_paused_starts_no_second_wait) {
  after_line_ = [this] { reader_->resume(); };
  reader_->start();
  for (int i = 0; i < 20; ++i) {
    write("line\n");
    poll();
  }
  EXPECT_EQ(lines_.size(), 20U);
  write("line\n");
  io_.restart();
  EXPECT_LE(io_.poll(), 2U);  // handlers run for one more line
}

TEST_F(LineReaderTest, stops_and_says_no_end) {
  reader_->start();
  write("one\n");
  poll();
  reader_->stop();
  write("two\n");
  end_input();
  poll();
  EXPECT_EQ(lines_, (Lines{"one"}));
  EXPECT_EQ(ends_, 0);
}

class LineReaderFileTest : public testing::Test {
 protected:
  LineReaderFileTest() {
    char name[] = "/tmp/mdpipe-lines-XXXXXX";
    fd_ = mkstemp(name);
    unlink(name);
  }
  ~LineReaderFileTest() override { close(fd_); }
  int fd_ = -1;
};

TEST_F(LineReaderFileTest, reads_a_regular_file_larger_than_one_read) {
  std::string bytes;
  Lines expected;
  for (int i = 0; i < 40'000; ++i) {
    expected.push_back("line " + std::to_string(i));
    bytes += expected.back() + "\n";
  }
  ASSERT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(lseek(fd_, 0, SEEK_SET), 0);
  asio::io_context io;
  Lines lines;
  int ends = 0;
  std::optional<LineReader> reader;
  reader.emplace(io, fd_, kLineMax,
                 LineCallbacks{[&](std::string_view line) {
                                 lines.emplace_back(line);
                                 reader->resume();
                               },
                               [](std::size_t) {}, [&] { ++ends; }});
  reader->start();
  const std::size_t handlers = io.run();
  EXPECT_EQ(lines, expected);
  EXPECT_EQ(ends, 1);
  EXPECT_LE(handlers, bytes.size() / 65'536 + 3);  // one for each read
}

}  // namespace
}  // namespace mdpipe::reader
