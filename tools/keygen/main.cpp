#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "libshared/process/exit_code.hpp"
#include "libshared/process/run_main.hpp"
#include "tools/keygen/key_files.hpp"

namespace {

using namespace mdpipe;

struct Options {
  std::string name;
  std::string directory = ".";
};

Result<bool> check(const Options& options) {
  constexpr std::size_t kNameCharsMax = 64;
  const bool good = !options.name.empty() && options.name.size() <= kNameCharsMax &&
                    std::all_of(options.name.begin(), options.name.end(), [](char c) {
                      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
                    });
  if (good) return true;
  return Error{ErrorKind::BadConfig,
               fmt::format("--name '{}': name whose key it is, such as --name=md-publisher; letters, digits, "
                           "'-' and '_' only, at most {} characters",
                           options.name, kNameCharsMax)};
}

int make_key(const Options& options) {
  const auto keys = transport::make_key_pair();
  const auto files = keygen::write_key_files(options.directory, options.name, keys);
  if (!files) throw process::StartupError{files.error()};
  fmt::print("{}  secret: for --curve-key-file of {}, and for nobody else\n{}  public: {}\n",
             files.value().secret, options.name, files.value().public_key, keys.public_key);
  return process::kOk;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  config::OptionTable table("mdpipe-keygen",
                            "Makes a key for the tcp endpoints of one program: a secret and a public file.");
  table.section("What to make");
  table
      .add("name", options.name, "Program that will own the key; the files are NAME.key_secret and NAME.key.")
      .env("MDPIPE_KEYGEN_NAME")
      .value_name("NAME");
  table.add("directory", options.directory, "Folder to write the files to.")
      .env("MDPIPE_KEYGEN_DIRECTORY")
      .value_name("DIR");
  table.validate_with([&options] { return check(options); });
  return process::run_main(table, argc, argv, [&options] { return make_key(options); });
}
