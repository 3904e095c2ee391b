#include "metrics-agent/forward/emf/emf_config.hpp"

#include <fmt/format.h>

#include "libshared/log/log.hpp"

namespace mdpipe::agent {
namespace {

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html (read 2026-11-25)
constexpr std::size_t kNamespaceBytesMax = 255;
constexpr std::string_view kNamespaceCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#:";

bool is_namespace(std::string_view text) {
  return !text.empty() && text.size() <= kNamespaceBytesMax && text.front() != ':' &&
         text.substr(0, 4) != "AWS/" &&
         text.find_first_not_of(kNamespaceCharacters) == std::string_view::npos;
}

}  // namespace

void add_emf_options(config::OptionTable& options, EmfConfig& config) {
  options.section("CloudWatch");
  options.add("emf", config.enabled,
              "Also write each window in the embedded metric format, for CloudWatch Logs.");
  options.add("emf-namespace", config.name_space, "Namespace of the metrics in CloudWatch.")
      .value_name("TEXT");
  options.add("emf-symbols", config.with_symbols,
              "Make metrics for each symbol; CloudWatch bills every one of them.");
}

Result<std::optional<EmfOptions>> make_emf_options(const EmfConfig& config, std::string_view log_level) {
  if (!config.enabled) return std::optional<EmfOptions>();
  if (!is_namespace(config.name_space)) {
    return Error{
        ErrorKind::BadConfig,
        fmt::format(
            "--emf-namespace '{}': expected at most {} letters, digits and . - _ / # :, not beginning "
            "with ':' or 'AWS/'",
            config.name_space, kNamespaceBytesMax)};
  }
  if (log::parse_level(log_level).value_or(log::Level::Info) > log::Level::Info) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--emf writes lines of the level info, which --log-level={} leaves out; set "
                             "--log-level=info",
                             log_level)};
  }
  return std::optional<EmfOptions>({config.name_space, config.with_symbols});
}

}  // namespace mdpipe::agent
