#pragma once
// One table per program describes all its options. Each option is a flag (--redis-url), an environment
// variable (REDIS_URL) and a TOML key (redis_url), in this order of precedence. --help, --check-config and
// the shell completions are made from the table, so they cannot disagree. The default of an option is the
// value that its bound variable has when the option is added.
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/result/result.hpp"

namespace mdpipe::config {

// A size in bytes: "65536", "64KiB", "16MiB", "1GiB".
struct Bytes {
  std::uint64_t count = 0;
};

using Milliseconds =
    std::chrono::milliseconds;  // written as "1500ms", "10s", "5m" or a bare number of milliseconds
using StringList = std::vector<std::string>;  // written as "a,b,c", in TOML also as an array

enum class Secrecy { Public, Secret, Url };  // a Secret is never shown; a Url is shown without its password

class Option {
 public:
  // The allowed values. The error for any other value lists them.
  Option& one_of(std::vector<std::string> choices);
  // Limits of a number, duration (in ms) or size (in bytes), both inclusive.
  Option& range(std::int64_t min, std::int64_t max);
  // The name of the environment variable, if it is not the flag in capitals.
  Option& env(std::string name);
  Option& secrecy(Secrecy secrecy);
  // What stands for the value in --help: "URL", "FILE".
  Option& value_name(std::string name);
  // The default that --help shows, if it depends on other options.
  Option& default_shown(std::string text);
  // A new value takes effect on a reload. Other options wait for a restart.
  Option& reloads();

 private:
  friend class OptionTable;
  friend class Loader;

  [[nodiscard]] std::string shown() const;  // the present value, masked if it is secret

  std::string flag_, env_, help_, value_name_ = "VALUE", default_text_, origin_ = "default";
  bool is_switch_ = false;
  bool is_list_ = false;
  bool reloads_ = false;
  Secrecy secrecy_ = Secrecy::Public;
  std::vector<std::string> choices_;
  std::int64_t min_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t max_ = std::numeric_limits<std::int64_t>::max();
  // Stores a text in the bound variable; returns what is wrong with it, or nothing.
  std::function<std::string(const Option&, const std::string&)> store_;
  std::function<std::string()> show_;
};

// What the command line asked for.
enum class Action { Run, ShowAndExit };

struct Outcome {
  Action action = Action::Run;
  std::string text;  // to print on standard output before exiting with 0
};

// How a configuration that was read again differs from the running one; secrets are masked.
struct Difference {
  std::vector<std::string> applied;  // "symbols: A,B -> A,C"
  std::vector<std::string> fixed;    // flags of changed options that need a restart
};

class OptionTable {
 public:
  // `summary` is one sentence, shown at the top of --help.
  OptionTable(std::string program, std::string summary);

  // Binds an option to a variable that must outlive the table. Every table has --config, --check-config,
  // --completion, --help and --version.
  Option& add(std::string flag, std::string& target, std::string help);
  Option& add(std::string flag, bool& target, std::string help);  // a switch: --flag, --flag=false
  Option& add(std::string flag, std::int64_t& target, std::string help);
  Option& add(std::string flag, double& target, std::string help);
  Option& add(std::string flag, Milliseconds& target, std::string help);
  Option& add(std::string flag, Bytes& target, std::string help);
  Option& add(std::string flag, StringList& target, std::string help);

  // Starts a new group in --help.
  void section(std::string title);

  // Runs after all values are stored, also for --check-config: returns an error that spans several options.
  void validate_with(std::function<Result<bool>()> check) { check_ = std::move(check); }

  // Reads flags, then the environment, then the TOML file of --config. BadUsage for a wrong command line,
  // BadConfig for a wrong value elsewhere; each error names the option, the value, where it came from and
  // what is allowed.
  Result<Outcome> load(int argc, const char* const* argv);

  [[nodiscard]] std::string help() const;
  [[nodiscard]] std::string effective_values() const;  // TOML with the origin of each value as a comment
  // `fresh` is a table of the same program.
  [[nodiscard]] Difference difference(const OptionTable& fresh) const;
  [[nodiscard]] std::string completion(std::string_view shell) const;
  [[nodiscard]] const std::string& program() const { return program_; }

  // Where an option's value came from: "flag", "environment REDIS_URL", "/etc/mdpipe/gmo.toml", "default".
  [[nodiscard]] std::string origin(std::string_view flag) const;

 private:
  friend class Loader;
  Option& emplace(std::string flag, std::string help);

  struct Section {
    std::string title;
    std::size_t first;
  };

  std::string program_, summary_;
  std::vector<Option> options_;
  std::vector<Section> sections_;
  std::function<Result<bool>()> check_;
};

// Parses what an option of the type Milliseconds accepts; nothing for any other text.
std::optional<Milliseconds> parse_duration(std::string_view text);

// "redis://user:secret@host" with the password replaced by "***".
std::string mask_url(std::string_view url);

}  // namespace mdpipe::config
