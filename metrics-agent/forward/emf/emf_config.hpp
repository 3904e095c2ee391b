#pragma once
// The CloudWatch destination: what an operator writes (config), and what is made of it (options).
#include <optional>
#include <string>
#include <string_view>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "metrics-agent/forward/emf/emf.hpp"

namespace mdpipe::agent {

struct EmfConfig {
  bool enabled = false;
  std::string name_space = "mdpipe";
  bool with_symbols = false;
};

// Binds `config`, which must outlive the table.
void add_emf_options(config::OptionTable& options, EmfConfig& config);

// Nothing if EMF is off. The error names the option and the remedy.
Result<std::optional<EmfOptions>> make_emf_options(const EmfConfig& config, std::string_view log_level);

}  // namespace mdpipe::agent
