#include "libshared/process/run_main.hpp"

#include <gmock/gmock.h>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::process {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

struct RunMainTest : testing::Test {
  int run(const std::vector<const char*>& arguments, const std::function<int()>& body) {
    config::OptionTable table("prog", "Test.");
    table.add("count", count, "A number.").range(0, 9);
    std::vector<const char*> argv{"prog"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    CaptureStderr();
    CaptureStdout();
    const int code = run_main(table, static_cast<int>(argv.size()), argv.data(), body);
    out = GetCapturedStdout();
    err = GetCapturedStderr();
    return code;
  }
  std::int64_t count = 0;
  std::string out, err;
};

TEST_F(RunMainTest, returns_what_the_program_returns) {
  EXPECT_EQ(run({"--count=3"}, [this] { return static_cast<int>(count); }), 3);
  EXPECT_EQ(err, "");
}

TEST_F(RunMainTest, does_not_run_to_show_something) {
  EXPECT_EQ(run({"--help"}, [] { return 1; }), kOk);
  EXPECT_THAT(out, HasSubstr("Usage: prog"));
}

TEST_F(RunMainTest, a_wrong_command_line_is_one_sentence_and_64) {
  EXPECT_EQ(run({"--count=x"}, [] { return 0; }), kUsage);
  EXPECT_THAT(err, HasSubstr("prog: --count 'x'"));
  EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1);
}

TEST_F(RunMainTest, errors_at_the_start_have_their_exit_codes) {
  for (const auto& [kind, code] : {std::pair{ErrorKind::BadConfig, kConfig},
                                   {ErrorKind::Unavailable, kUnavailable},
                                   {ErrorKind::Internal, kInternal}}) {
    EXPECT_EQ(run({}, [kind = kind]() -> int { throw StartupError{Error{kind, "that went wrong"}}; }), code);
    EXPECT_EQ(err, "prog: that went wrong\n");
  }
}

TEST_F(RunMainTest, an_exception_nobody_expected_is_internal) {
  EXPECT_EQ(run({}, []() -> int { throw std::runtime_error("boom"); }), kInternal);
  EXPECT_EQ(err, "prog: internal error: boom\n");
}

}  // namespace
}  // namespace mdpipe::process
