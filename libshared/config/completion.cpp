// The completion scripts of --completion: flags, and after a flag its possible values. If nothing matches,
// the shells themselves offer files.
#include <fmt/format.h>

#include <algorithm>

#include "libshared/config/options.hpp"

namespace mdpipe::config {
namespace {

std::string function_name(std::string_view program) {
  std::string out(program);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

// In single quotes. Brackets and colons are escaped, because they separate the parts of an _arguments spec.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

struct Completed {
  std::string_view flag, help, value;
  const std::vector<std::string>& choices;
  bool is_list;
};

std::string bash_case(const Completed& option) {
  if (option.choices.empty()) return {};
  // In a list, the items before the last comma are complete.
  const std::string_view lead = option.is_list ? "lead=${word%\"${word##*,}\"}; " : "";
  return fmt::format("    --{}) {}choices='{}' ;;\n", option.flag, lead, fmt::join(option.choices, " "));
}

std::string zsh_argument(const Completed& option) {
  std::string action = "_files";
  if (!option.choices.empty()) {
    action = option.is_list ? fmt::format("_sequence compadd - {}", fmt::join(option.choices, " "))
                            : fmt::format("({})", fmt::join(option.choices, " "));
  }
  return fmt::format("  '--{}=[{}]:{}:{}' \\\n", option.flag, zsh_text(option.help), zsh_text(option.value),
                     action);
}

// The shell has split "--flag=value" at the '='.
constexpr std::string_view kBash = R"(_{name}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=$((COMP_CWORD - 1)) lead='' choices=''
  if [[ $word == '=' ]]; then
    word=''
  elif [[ ${{COMP_WORDS[before]}} == '=' ]]; then
    before=$((before - 1))
  fi
  case ${{COMP_WORDS[before]}} in
{cases}    *) choices='{flags}' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -P "$lead" -W "$choices" -- "${{word#"$lead"}}")
  [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace 2>/dev/null
}}
complete -o default -F _{name} {program}
)";

constexpr std::string_view kZshCommon = R"(  '--config=[read options from this TOML file]:FILE:_files' \
  '--check-config[print the effective values with their origin, and exit]' \
  '--completion=[print the completion script, and exit]:SHELL:(bash zsh)' \
  '(- *)'{-h,--help}'[print the help, and exit]' \
  '(- *)--version[print the version, and exit]'
)";

}  // namespace

std::string OptionTable::completion(std::string_view shell) const {
  static const std::vector<std::string> kSwitch = {"true", "false"};
  std::string flags;
  std::string cases = "    --completion) choices='bash zsh' ;;\n";
  std::string arguments;
  for (const Option& option : options_) {
    flags += fmt::format("--{}= ", option.flag_);
    const Completed completed{option.flag_, option.help_, option.value_name_,
                              option.is_switch_ ? kSwitch : option.choices_, option.is_list_};
    cases += bash_case(completed);
    arguments += zsh_argument(completed);
  }
  flags += "--config= --check-config --completion= --help --version";
  if (shell == "bash") {
    return fmt::format(kBash, fmt::arg("name", function_name(program_)), fmt::arg("program", program_),
                       fmt::arg("cases", cases), fmt::arg("flags", flags));
  }
  if (shell == "zsh") return fmt::format("#compdef {}\n_arguments \\\n{}{}", program_, arguments, kZshCommon);
  return {};
}

}  // namespace mdpipe::config
