#include "libshared/config/options.hpp"

#include <fmt/format.h>
#include <getopt.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "mdpipe_version.hpp"

namespace mdpipe::config {
namespace {

std::string upper_snake(std::string_view flag) {
  std::string out(flag);
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string snake(std::string_view flag) {
  std::string out(flag);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view suffix;
  std::int64_t factor;
};

// "10s" with one of the units of the kind. A bare number is in the smallest unit.
std::optional<std::int64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
  std::int64_t factor = 1;
  for (const Unit& unit : units) {
    const bool matches =
        text.size() > unit.suffix.size() && text.substr(text.size() - unit.suffix.size()) == unit.suffix &&
        std::isdigit(static_cast<unsigned char>(text[text.size() - unit.suffix.size() - 1])) != 0;
    if (!matches) continue;
    factor = unit.factor;
    text.remove_suffix(unit.suffix.size());
    break;
  }
  const auto number = parse_number<std::int64_t>(text);
  if (!number || *number < 0 || *number > std::numeric_limits<std::int64_t>::max() / factor)
    return std::nullopt;
  return *number * factor;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::string show_duration(Milliseconds value) {
  return value.count() % 1000 == 0 ? fmt::format("{}s", value.count() / 1000)
                                   : fmt::format("{}ms", value.count());
}

std::string show_bytes(Bytes value) {
  constexpr std::uint64_t kKiB = 1024;
  if (value.count > 0 && value.count % (kKiB * kKiB) == 0)
    return fmt::format("{}MiB", value.count / (kKiB * kKiB));
  if (value.count > 0 && value.count % kKiB == 0) return fmt::format("{}KiB", value.count / kKiB);
  return fmt::format("{}", value.count);
}

StringList split_list(std::string_view text) {
  StringList out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string expect(std::string_view what) { return fmt::format("expected {}", what); }

}  // namespace

std::optional<Milliseconds> parse_duration(std::string_view text) {
  const auto count = parse_with_unit(text, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}});
  if (!count) return std::nullopt;
  return Milliseconds(*count);
}

std::string mask_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  if (const std::size_t parameter = url.find("password="); parameter != std::string_view::npos)
    return mask_url(url.substr(0, parameter)) + "password=***";
  const std::size_t at = url.find_last_of('@');
  const std::size_t colon = url.find(':', start);
  if (colon == std::string_view::npos)  // without a scheme it may be a misplaced password
    return scheme == std::string_view::npos && !url.empty() ? "***" : std::string(url);
  if (at == std::string_view::npos || at < start) {
    // Without '@', a port should follow the colon. Anything else may be a password whose host is missing.
    const bool port_follows =
        colon + 1 < url.size() && std::isdigit(static_cast<unsigned char>(url[colon + 1])) != 0;
    const bool address = start < url.size() && (url[start] == '[' || url[start] == '/');
    return std::string(port_follows || address ? url : url.substr(0, colon + 1)) +
           (port_follows || address ? "" : "***");
  }
  if (colon > at) return std::string(url);
  return fmt::format("{}***{}", url.substr(0, colon + 1), url.substr(at));
}

Option& Option::one_of(std::vector<std::string> choices) {
  choices_ = std::move(choices);
  return *this;
}
Option& Option::range(std::int64_t min, std::int64_t max) {
  min_ = min;
  max_ = max;
  return *this;
}
Option& Option::env(std::string name) {
  env_ = std::move(name);
  return *this;
}
Option& Option::secrecy(Secrecy secrecy) {
  secrecy_ = secrecy;
  return *this;
}
Option& Option::value_name(std::string name) {
  value_name_ = std::move(name);
  return *this;
}
Option& Option::default_shown(std::string text) {
  default_text_ = std::move(text);
  return *this;
}
Option& Option::reloads() {
  reloads_ = true;
  return *this;
}

std::string Option::shown() const {
  std::string value = show_();
  if (secrecy_ == Secrecy::Secret && !value.empty()) return "***";
  return secrecy_ == Secrecy::Url ? mask_url(value) : value;
}

OptionTable::OptionTable(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {
  constexpr std::size_t kOptionsMax = 96;  // reserved, so that references from add() stay valid
  options_.reserve(kOptionsMax);
}

Option& OptionTable::emplace(std::string flag, std::string help) {
  if (options_.size() == options_.capacity()) throw std::length_error("option table is full");
  Option& option = options_.emplace_back();
  option.env_ = upper_snake(flag);
  option.flag_ = std::move(flag);
  option.help_ = std::move(help);
  return option;
}

void OptionTable::section(std::string title) { sections_.push_back({std::move(title), options_.size()}); }

Option& OptionTable::add(std::string flag, std::string& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.show_ = [&target] { return target; };
  option.default_text_ = target;
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    const auto& choices = self.choices_;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return expect(fmt::format("one of {}", fmt::join(choices, ", ")));
    }
    target = text;
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, bool& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.is_switch_ = true;
  option.value_name_ = "true|false";
  option.show_ = [&target] { return target ? "true" : "false"; };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option&, const std::string& text) -> std::string {
    const auto value = parse_bool(text);
    if (!value) return expect("true or false");
    target = *value;
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, std::int64_t& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.value_name_ = "N";
  option.show_ = [&target] { return fmt::format("{}", target); };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    const auto value = parse_number<std::int64_t>(text);
    if (!value || *value < self.min_ || *value > self.max_) {
      return expect(fmt::format("a whole number from {} to {}", self.min_, self.max_));
    }
    target = *value;
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, double& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.value_name_ = "X";
  option.show_ = [&target] { return fmt::format("{}", target); };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    const auto value = parse_number<double>(text);
    if (!value || !(*value >= static_cast<double>(self.min_)) ||
        !(*value <= static_cast<double>(self.max_))) {
      return expect(fmt::format("a number from {} to {}", self.min_, self.max_));
    }
    target = *value;
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, Milliseconds& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.value_name_ = "TIME";
  option.show_ = [&target] { return show_duration(target); };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    const auto value = parse_duration(text);
    if (!value || value->count() < std::max<std::int64_t>(self.min_, 0) || value->count() > self.max_) {
      const auto upper = self.max_ == std::numeric_limits<std::int64_t>::max()
                             ? std::string("any")
                             : show_duration(Milliseconds(self.max_));
      return expect(fmt::format("a time such as 1500ms, 10s or 5m, from {} to {}",
                                show_duration(Milliseconds(std::max<std::int64_t>(self.min_, 0))), upper));
    }
    target = *value;
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, Bytes& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.value_name_ = "BYTES";
  option.show_ = [&target] { return show_bytes(target); };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    const auto value = parse_with_unit(text, {{"KiB", 1LL << 10U}, {"MiB", 1LL << 20U}, {"GiB", 1LL << 30U}});
    if (!value || *value < std::max<std::int64_t>(self.min_, 0) || *value > self.max_) {
      return expect(fmt::format("a size such as 65536, 64KiB or 16MiB, from {} to {} bytes",
                                std::max<std::int64_t>(self.min_, 0), self.max_));
    }
    target = Bytes{static_cast<std::uint64_t>(*value)};
    return {};
  };
  return option;
}

Option& OptionTable::add(std::string flag, StringList& target, std::string help) {
  Option& option = emplace(std::move(flag), std::move(help));
  option.is_list_ = true;
  option.value_name_ = "A,B,...";
  option.show_ = [&target] { return fmt::format("{}", fmt::join(target, ",")); };
  option.default_text_ = option.show_();
  option.store_ = [&target](const Option& self, const std::string& text) -> std::string {
    StringList items = split_list(text);
    for (const auto& item : items) {
      if (!self.choices_.empty() &&
          std::find(self.choices_.begin(), self.choices_.end(), item) == self.choices_.end()) {
        return expect(fmt::format("a list of {}", fmt::join(self.choices_, ", ")));
      }
    }
    target = std::move(items);
    return {};
  };
  return option;
}

// Reads the three sources into the table, for one load().
class Loader {
 public:
  explicit Loader(OptionTable& table) : table_(table) {}

  Result<Outcome> load(int argc, const char* const* argv) {
    if (const auto flags = read_flags(argc, argv); !flags) return flags.error();
    if (wants_help_) return Outcome{Action::ShowAndExit, table_.help()};
    if (wants_version_)
      return Outcome{Action::ShowAndExit, fmt::format("{} {} ({})\n", table_.program_, kVersion, kCommit)};
    if (!completion_.empty()) return show_completion();
    if (const auto env = read_environment(); !env) return env.error();
    if (const auto file = read_file(); !file) return file.error();
    if (table_.check_) {
      if (const auto checked = table_.check_(); !checked) return checked.error();
    }
    if (check_config_) return Outcome{Action::ShowAndExit, table_.effective_values()};
    return Outcome{};
  }

 private:
  Error usage(std::string message) const {
    return Error{ErrorKind::BadUsage, fmt::format("{}; see {} --help", message, table_.program_)};
  }

  // The first source that gives a value wins, so flags are read first.
  Result<bool> store(Option& option, const std::string& text, const std::string& origin, ErrorKind kind) {
    if (option.origin_ != "default" && option.origin_ != origin) return true;
    const std::string wrong = option.store_(option, text);
    if (!wrong.empty()) {
      const std::string shown = option.secrecy_ == Secrecy::Public ? text : "***";
      return Error{kind, fmt::format("--{} '{}' (from {}): {}", option.flag_, shown, origin, wrong)};
    }
    option.origin_ = origin;
    return true;
  }

  Result<bool> read_flags(int argc, const char* const* argv) {
    enum Builtin { Config = 1000, CheckConfig, Completion, Help, Version };
    std::vector<::option> longs;
    for (std::size_t i = 0; i < table_.options_.size(); ++i) {
      const Option& option = table_.options_[i];
      longs.push_back({option.flag_.c_str(), option.is_switch_ ? optional_argument : required_argument,
                       nullptr, static_cast<int>(i) + 1});
    }
    longs.push_back({"config", required_argument, nullptr, Config});
    longs.push_back({"check-config", no_argument, nullptr, CheckConfig});
    longs.push_back({"completion", required_argument, nullptr, Completion});
    longs.push_back({"help", no_argument, nullptr, Help});
    longs.push_back({"version", no_argument, nullptr, Version});
    longs.push_back({nullptr, 0, nullptr, 0});

    std::vector<std::string> arguments(argv, argv + argc);
    std::vector<char*> mutable_argv;
    mutable_argv.reserve(arguments.size() + 1);
    for (auto& argument : arguments) mutable_argv.push_back(argument.data());
    mutable_argv.push_back(nullptr);

    optind = 0;  // resets getopt's state: a table can be loaded more than once
    opterr = 0;
    for (;;) {
      const int found = getopt_long(argc, mutable_argv.data(), ":h", longs.data(), nullptr);
      if (found == -1) break;
      switch (found) {
        case '?':
          return usage(fmt::format("unknown option '{}'", wrong_option(mutable_argv)));
        case ':':
          return usage(
              fmt::format("option '{}' needs a value", mutable_argv[static_cast<std::size_t>(optind) - 1]));
        case Config:
          config_file_ = optarg;
          break;
        case CheckConfig:
          check_config_ = true;
          break;
        case Completion:
          completion_ = optarg;
          break;
        case 'h':
        case Help:
          wants_help_ = true;
          break;
        case Version:
          wants_version_ = true;
          break;
        default: {
          Option& option = table_.options_[static_cast<std::size_t>(found) - 1];
          const std::string text = optarg != nullptr ? optarg : "true";
          if (const auto stored = store(option, text, "flag", ErrorKind::BadUsage); !stored)
            return usage(stored.error().message);
        }
      }
    }
    if (optind < argc) {
      return usage(fmt::format("unexpected argument '{}'", mutable_argv[static_cast<std::size_t>(optind)]));
    }
    return true;
  }

  // The name that getopt_long has just refused, without its value, which may be a secret.
  static std::string wrong_option(const std::vector<char*>& arguments) {
    constexpr int kCharacters = 128;
    if (optopt > 0 && optopt < kCharacters) return fmt::format("-{}", static_cast<char>(optopt));
    const std::string_view argument = arguments[static_cast<std::size_t>(optind) - 1];
    return std::string(argument.substr(0, argument.find('=')));
  }

  Result<bool> read_environment() {
    for (Option& option : table_.options_) {
      const char* text =
          std::getenv(option.env_.c_str());  // NOLINT(concurrency-mt-unsafe): read before any thread
      if (text == nullptr || *text == '\0') continue;
      const auto stored =
          store(option, text, fmt::format("environment {}", option.env_), ErrorKind::BadConfig);
      if (!stored) return stored.error();
    }
    return true;
  }

  Result<bool> read_file() {
    if (config_file_.empty()) return true;
    std::error_code ec;
    if (std::filesystem::is_directory(config_file_, ec)) {  // which toml++ reads as an empty file
      return Error{ErrorKind::BadConfig,
                   fmt::format("--config '{}' is a folder; name a TOML file", config_file_)};
    }
    toml::table file;
    try {
      file = toml::parse_file(config_file_);
    } catch (const toml::parse_error& error) {
      return Error{ErrorKind::BadConfig,
                   fmt::format("{}:{}: {}; correct the file or drop --config", config_file_,
                               error.source().begin.line, error.description())};
    }
    for (const auto& [key, node] : file) {
      if (const auto taken = take_node(std::string(key.str()), node); !taken) return taken.error();
    }
    return true;
  }

  Result<bool> take_node(const std::string& key, const toml::node& node) {
    const auto option =
        std::find_if(table_.options_.begin(), table_.options_.end(),
                     [&key](const Option& candidate) { return snake(candidate.flag_) == key; });
    const auto where = fmt::format("{}:{}", config_file_, node.source().begin.line);
    if (option == table_.options_.end()) {
      return Error{ErrorKind::BadConfig, fmt::format("{}: unknown key '{}'; {} --help lists the keys", where,
                                                     key, table_.program_)};
    }
    const auto text = node_text(node);
    if (!text) {
      return Error{ErrorKind::BadConfig,
                   fmt::format("{}: key '{}' must be a text, number, boolean or list of texts", where, key)};
    }
    if (option->origin_ != "default") return true;
    return store(*option, *text, where, ErrorKind::BadConfig);
  }

  static std::optional<std::string> node_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
    const auto* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    StringList items;
    for (const auto& item : *array) {
      const auto* text = item.as_string();
      if (text == nullptr) return std::nullopt;
      items.push_back(text->get());
    }
    return fmt::format("{}", fmt::join(items, ","));
  }

  Result<Outcome> show_completion() const {
    const std::string script = table_.completion(completion_);
    if (script.empty()) return usage(fmt::format("--completion '{}': expected bash or zsh", completion_));
    return Outcome{Action::ShowAndExit, script};
  }

  OptionTable& table_;
  std::string config_file_, completion_;
  bool check_config_ = false, wants_help_ = false, wants_version_ = false;
};

Result<Outcome> OptionTable::load(int argc, const char* const* argv) {
  for (Option& option : options_) option.origin_ = "default";
  return Loader(*this).load(argc, argv);
}

std::string OptionTable::origin(std::string_view flag) const {
  for (const Option& option : options_) {
    if (option.flag_ == flag) return option.origin_;
  }
  return {};
}

std::string OptionTable::help() const {
  std::string out = fmt::format(
      "Usage: {} [OPTION]...\n{}\n\nEvery option is also an environment variable and a key of the "
      "TOML file named by --config.\nA flag takes precedence over the environment, and the environment over "
      "the file.\n",
      program_, summary_);
  auto section = sections_.begin();
  for (std::size_t i = 0; i < options_.size(); ++i) {
    if (section != sections_.end() && section->first == i) {
      out += fmt::format("\n{}:\n", section->title);
      ++section;
    }
    const Option& option = options_[i];
    out += fmt::format("  --{}={}\n", option.flag_, option.value_name_);
    out += fmt::format("      {}\n", option.help_);
    if (!option.choices_.empty()) out += fmt::format("      one of: {}\n", fmt::join(option.choices_, ", "));
    if (option.reloads_) out += "      A change takes effect on SIGHUP.\n";
    out += fmt::format("      env {}, key {}, default {}\n", option.env_, snake(option.flag_),
                       option.default_text_.empty() ? "none" : option.default_text_);
  }
  out +=
      "\nCommon:\n"
      "  --config=FILE\n      Read options from this TOML file.\n"
      "  --check-config\n      Print the effective values with their origin, secrets masked, and exit.\n"
      "  --completion=SHELL\n      Print the completion script for bash or zsh, and exit.\n"
      "  -h, --help\n      Print this help, and exit.\n"
      "  --version\n      Print the version, and exit.\n"
      "\nExit status: 0 asked to stop, 64 wrong usage, 69 unavailable, 70 internal error, 78 bad "
      "configuration.\n";
  return out;
}

std::string OptionTable::effective_values() const {
  std::string out;
  for (const Option& option : options_) {
    out += fmt::format("{} = {}  # {}\n", snake(option.flag_), toml_string(option.shown()), option.origin_);
  }
  return out;
}

Difference OptionTable::difference(const OptionTable& fresh) const {
  Difference out;
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Option& before = options_[i];
    const Option& after = fresh.options_[i];
    if (before.show_() == after.show_()) continue;
    if (before.reloads_) {
      out.applied.push_back(fmt::format("{}: {} -> {}", before.flag_, before.shown(), after.shown()));
    } else {
      out.fixed.push_back(before.flag_);
    }
  }
  return out;
}

}  // namespace mdpipe::config
