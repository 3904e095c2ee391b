#include "libshared/config/options.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mdpipe::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OptionTableTest : public testing::Test {
 protected:
  OptionTableTest() {
    char name[] = "/tmp/mdpipe-config-XXXXXX";
    folder_ = mkdtemp(name);
    table_.section("Everything");
    table_.add("name", name_, "A text.");
    table_.add("colour", colour_, "One of a few.").one_of({"red", "green"});
    table_.add("count", count_, "A number.").range(1, 100);
    table_.add("ratio", ratio_, "A fraction.").range(0, 1);
    table_.add("wait-time", wait_time_, "A time.").range(100, 60'000).env("OTHER_NAME");
    table_.add("size", size_, "A size.").range(10, 1 << 20);
    table_.add("on", on_, "A switch.");
    table_.add("items", items_, "A list.").one_of({"a", "b", "c"});
    table_.add("secret", secret_, "A secret.").secrecy(Secrecy::Secret);
    table_.add("url", url_, "An address.").secrecy(Secrecy::Url);
    for (const auto* variable : kVariables) unsetenv(variable);
  }
  ~OptionTableTest() override {
    for (const auto* variable : kVariables) unsetenv(variable);
    std::filesystem::remove_all(folder_);
  }

  Result<Outcome> load(const std::vector<std::string>& arguments = {}) {
    std::vector<const char*> argv{"prog"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    return table_.load(static_cast<int>(argv.size()), argv.data());
  }
  std::string error(const std::vector<std::string>& arguments = {}) {
    const auto result = load(arguments);
    return result ? "accepted" : result.error().message;
  }
  std::string file(const std::string& content) const {
    std::ofstream(folder_ + "/c.toml") << content;
    return "--config=" + folder_ + "/c.toml";
  }

  static constexpr const char* kVariables[] = {"NAME", "COLOUR", "COUNT", "RATIO",  "WAIT_TIME", "OTHER_NAME",
                                               "SIZE", "ON",     "ITEMS", "SECRET", "URL"};
  std::string folder_;
  std::string name_ = "default";
  std::string colour_ = "red";
  std::int64_t count_ = 5;
  double ratio_ = 0.5;
  Milliseconds wait_time_{1500};
  Bytes size_{1024};
  bool on_ = false;
  StringList items_ = {"a"};
  std::string secret_, url_;
  OptionTable table_{"prog", "Does a thing."};
};

TEST_F(OptionTableTest, a_flag_wins_over_the_environment_the_environment_over_the_file) {
  const std::string config = file("name = 'file'\ncolour = 'green'\ncount = 7\n");
  setenv("NAME", "environment", 1);
  setenv("COUNT", "8", 1);
  ASSERT_TRUE(load({config, "--name=flag"}));
  EXPECT_EQ(name_, "flag");
  EXPECT_EQ(count_, 8);
  EXPECT_EQ(colour_, "green");
  EXPECT_EQ(ratio_, 0.5);
  EXPECT_EQ(table_.origin("name"), "flag");
  EXPECT_EQ(table_.origin("count"), "environment COUNT");
  EXPECT_EQ(table_.origin("colour"), folder_ + "/c.toml:2");
  EXPECT_EQ(table_.origin("ratio"), "default");
}

TEST_F(OptionTableTest, the_last_of_a_repeated_flag_counts) {
  ASSERT_TRUE(load({"--name=a", "--name", "b"}));
  EXPECT_EQ(name_, "b");
}

TEST_F(OptionTableTest, an_empty_variable_is_not_set) {
  setenv("COUNT", "", 1);
  ASSERT_TRUE(load());
  EXPECT_EQ(count_, 5);
}

TEST_F(OptionTableTest, a_variable_may_have_a_name_of_its_own) {
  setenv("WAIT_TIME", "5s", 1);
  ASSERT_TRUE(load());
  EXPECT_EQ(wait_time_, Milliseconds(1500));
  setenv("OTHER_NAME", "5s", 1);
  ASSERT_TRUE(load());
  EXPECT_EQ(wait_time_, Milliseconds(5000));
}

TEST_F(OptionTableTest, reads_every_type_from_a_flag) {
  ASSERT_TRUE(load({"--colour=green", "--count=100", "--ratio=0.25", "--wait-time=1m", "--size=64KiB", "--on",
                    "--items= b , c,"}));
  EXPECT_EQ(colour_, "green");
  EXPECT_EQ(count_, 100);
  EXPECT_EQ(ratio_, 0.25);
  EXPECT_EQ(wait_time_, Milliseconds(60'000));
  EXPECT_EQ(size_.count, 65'536U);
  EXPECT_TRUE(on_);
  EXPECT_EQ(items_, (StringList{"b", "c"}));
}

TEST_F(OptionTableTest, reads_every_type_from_a_file) {
  ASSERT_TRUE(load(
      {file("count = 9\nratio = 1.0\nwait_time = 250\nsize = '1MiB'\non = true\nitems = ['c', 'a']\n")}));
  EXPECT_EQ(count_, 9);
  EXPECT_EQ(ratio_, 1.0);
  EXPECT_EQ(wait_time_, Milliseconds(250));
  EXPECT_EQ(size_.count, 1U << 20U);
  EXPECT_TRUE(on_);
  EXPECT_EQ(items_, (StringList{"c", "a"}));
}

TEST_F(OptionTableTest, a_switch_can_be_switched_off) {
  on_ = true;
  ASSERT_TRUE(load({"--on=false"}));
  EXPECT_FALSE(on_);
  EXPECT_THAT(error({"--on=maybe"}), AllOf(HasSubstr("--on 'maybe'"), HasSubstr("true or false")));
}

TEST_F(OptionTableTest, wrong_values_are_named_with_what_is_allowed) {
  EXPECT_THAT(error({"--count=0"}), AllOf(HasSubstr("--count '0'"), HasSubstr("from 1 to 100")));
  EXPECT_THAT(error({"--count=101"}), HasSubstr("from 1 to 100"));
  EXPECT_THAT(error({"--count=5x"}), HasSubstr("whole number"));
  EXPECT_THAT(error({"--ratio=1.5"}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(error({"--ratio=nan"}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(error({"--wait-time=99"}), AllOf(HasSubstr("100ms"), HasSubstr("60s")));
  EXPECT_THAT(error({"--wait-time=2h"}), HasSubstr("60s"));
  EXPECT_THAT(error({"--wait-time=10 s"}), HasSubstr("1500ms, 10s or 5m"));
  EXPECT_THAT(error({"--wait-time=s"}), HasSubstr("1500ms, 10s or 5m"));
  EXPECT_THAT(error({"--size=9"}), HasSubstr("from 10"));
  EXPECT_THAT(error({"--size=1MB"}), HasSubstr("64KiB"));
  EXPECT_THAT(error({"--colour=blue"}), HasSubstr("red, green"));
  EXPECT_THAT(error({"--items=a,d"}), HasSubstr("a, b, c"));
}

TEST_F(OptionTableTest, numbers_too_large_for_their_unit_are_refused) {
  for (const auto* text : {"9223372036854775807h", "-9223372036854775808h", "-9223372036854775807m",
                           "99999999999999999999999s"}) {
    EXPECT_THAT(error({std::string("--wait-time=") + text}), HasSubstr("a time such as")) << text;
  }
  EXPECT_THAT(error({"--size=9223372036854775807GiB"}), HasSubstr("a size such as"));
}

TEST_F(OptionTableTest, a_wrong_command_line_is_bad_usage_and_names_the_argument) {
  EXPECT_THAT(error({"--nmae=x"}), AllOf(HasSubstr("unknown option '--nmae"), HasSubstr("prog --help")));
  EXPECT_THAT(error({"-xyz"}), HasSubstr("'-x"));
  EXPECT_THAT(error({"--name"}), HasSubstr("option '--name' needs a value"));
  EXPECT_THAT(error({"stray"}), HasSubstr("unexpected argument 'stray'"));
  EXPECT_THAT(error({"--completion=fish"}), HasSubstr("bash or zsh"));
  EXPECT_EQ(load({"--nmae=x"}).error().kind, ErrorKind::BadUsage);
  EXPECT_EQ(load({"--count=0"}).error().kind, ErrorKind::BadUsage);
}

TEST_F(OptionTableTest, a_misspelt_option_does_not_print_its_value) {
  EXPECT_THAT(error({"--secrte=hunter2"}), AllOf(HasSubstr("--secrte"), Not(HasSubstr("hunter2"))));
}

TEST_F(OptionTableTest, a_wrong_variable_or_file_is_bad_configuration_and_named) {
  setenv("COUNT", "many", 1);
  EXPECT_THAT(error(), AllOf(HasSubstr("environment COUNT"), HasSubstr("'many'")));
  EXPECT_EQ(load().error().kind, ErrorKind::BadConfig);
  unsetenv("COUNT");
  EXPECT_THAT(error({file("\n\ncount = 1000\n")}), AllOf(HasSubstr("c.toml:3"), HasSubstr("--count '1000'")));
  EXPECT_THAT(error({file("\nnaem = 1\n")}),
              AllOf(HasSubstr("c.toml:2: unknown key 'naem'"), HasSubstr("--help")));
  EXPECT_THAT(error({file("name = \n")}), HasSubstr("c.toml:1"));
  EXPECT_THAT(error({file("[name]\nx = 'x'\n")}), HasSubstr("key 'name' must be"));
  EXPECT_THAT(error({file("items = [1]\n")}), HasSubstr("key 'items'"));
  EXPECT_EQ(load({file("naem = 1\n")}).error().kind, ErrorKind::BadConfig);
}

TEST_F(OptionTableTest, a_file_that_cannot_be_read_is_named) {
  for (const std::string& path : {folder_ + "/missing.toml", folder_}) {
    const auto result = load({"--config=" + path});
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().kind, ErrorKind::BadConfig);
    EXPECT_THAT(result.error().message, HasSubstr(path));
  }
}

TEST_F(OptionTableTest, secrets_show_neither_in_errors_nor_in_effective_values) {
  ASSERT_TRUE(load({"--secret=hunter2", "--url=redis://me:hunter2@host:1/0"}));
  const std::string shown = table_.effective_values();
  EXPECT_THAT(shown, AllOf(Not(HasSubstr("hunter2")), HasSubstr("secret = \"***\"  # flag")));
  EXPECT_THAT(shown, HasSubstr("redis://me:***@host:1/0"));
}

TEST_F(OptionTableTest, check_config_shows_every_value_with_its_origin) {
  const auto result = load({"--check-config", "--count=7"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().action, Action::ShowAndExit);
  EXPECT_THAT(result.value().text,
              AllOf(HasSubstr("count = \"7\"  # flag\n"), HasSubstr("name = \"default\"  # default\n"),
                    HasSubstr("wait_time = \"1500ms\"  # default\n")));
}

// What --check-config prints can be used as the file.
TEST_F(OptionTableTest, effective_values_read_back_as_a_file) {
  ASSERT_TRUE(load(
      {"--name=a \"b\" \\ \n\tc", "--wait-time=2s", "--size=64KiB", "--on", "--items=b,c", "--ratio=0.125"}));
  const std::string shown = table_.effective_values();
  name_.clear(), wait_time_ = {}, size_ = {}, on_ = false, items_.clear(), ratio_ = 0;
  ASSERT_EQ(error({file(shown)}), "accepted");
  EXPECT_EQ(name_, "a \"b\" \\ \n\tc");
  EXPECT_EQ(wait_time_, Milliseconds(2000));
  EXPECT_EQ(size_.count, 65'536U);
  EXPECT_TRUE(on_);
  EXPECT_EQ(items_, (StringList{"b", "c"}));
  EXPECT_EQ(ratio_, 0.125);
}

TEST_F(OptionTableTest, help_lists_every_option_in_all_three_forms) {
  const std::string help = load({"--help"}).value().text;
  for (const auto* flag : {"name", "colour", "count", "ratio", "wait-time", "size", "on", "items", "secret",
                           "url", "config", "check-config", "completion", "help", "version"}) {
    EXPECT_THAT(help, HasSubstr(std::string("--") + flag));
  }
  EXPECT_THAT(
      help, AllOf(HasSubstr("env OTHER_NAME, key wait_time, default 1500ms"), HasSubstr("one of: red, green"),
                  HasSubstr("Everything:"), HasSubstr("78 bad configuration")));
}

TEST_F(OptionTableTest, help_and_version_come_before_what_is_wrong_elsewhere) {
  setenv("COUNT", "many", 1);
  EXPECT_TRUE(load({"--help"}));
  EXPECT_THAT(load({"--version"}).value().text, HasSubstr("prog "));
}

TEST_F(OptionTableTest, completions_offer_every_option) {
  for (const auto* shell : {"bash", "zsh"}) {
    const std::string script = load({std::string("--completion=") + shell}).value().text;
    EXPECT_THAT(script, AllOf(HasSubstr("--wait-time="), HasSubstr("--check-config"), HasSubstr("prog")))
        << shell;
  }
}

TEST_F(OptionTableTest, a_difference_tells_what_may_change_from_what_waits_and_masks_secrets) {
  std::string text = "a", other = "x", secret = "hunter2", url = "redis://me:hunter2@host";
  OptionTable fresh("prog", "Does a thing.");
  OptionTable running("prog", "Does a thing.");
  std::string new_text = "b", new_other = "y", new_secret = "hunter3", new_url = "redis://me:hunter3@host";
  const auto declare = [](OptionTable& table, std::string& a, std::string& b, std::string& c,
                          std::string& d) {
    table.add("text", a, "A text.").reloads();
    table.add("other", b, "Another.");
    table.add("secret", c, "A secret.").secrecy(Secrecy::Secret).reloads();
    table.add("url", d, "An address.").secrecy(Secrecy::Url).reloads();
  };
  declare(running, text, other, secret, url);
  declare(fresh, new_text, new_other, new_secret, new_url);
  const Difference found = running.difference(fresh);
  EXPECT_THAT(found.applied, testing::ElementsAre("text: a -> b", "secret: *** -> ***",
                                                  "url: redis://me:***@host -> redis://me:***@host"));
  EXPECT_THAT(found.fixed, testing::ElementsAre("other"));
  EXPECT_THAT(running.difference(running).applied, testing::IsEmpty());
  EXPECT_THAT(running.help(), HasSubstr("takes effect on SIGHUP"));
}

TEST_F(OptionTableTest, the_last_check_sees_all_values_and_its_error_stands) {
  table_.validate_with([this]() -> Result<bool> {
    if (count_ > 50) return Error{ErrorKind::BadConfig, "too many"};
    return true;
  });
  EXPECT_EQ(error({"--count=60"}), "too many");
  EXPECT_EQ(error({"--count=40"}), "accepted");
}

TEST(MaskUrl, hides_only_the_password) {
  EXPECT_EQ(mask_url("redis://u:p@h:1/0"), "redis://u:***@h:1/0");
  EXPECT_EQ(mask_url("redis://:p@h"), "redis://:***@h");
  EXPECT_EQ(mask_url("redis://:p@s:s@h"), "redis://:***@h");
  EXPECT_EQ(mask_url("redis://h:1/0"), "redis://h:1/0");
  EXPECT_EQ(mask_url("redis://u@h"), "redis://u@h");
  EXPECT_EQ(mask_url("unix://u:p@/s?password=x"), "unix://u:***@/s?password=***");
  EXPECT_EQ(mask_url("s3cret"), "***");
  EXPECT_EQ(mask_url("h:1"), "h:1");
  EXPECT_EQ(mask_url(""), "");
}

}  // namespace
}  // namespace mdpipe::config
