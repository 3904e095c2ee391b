#include "metrics-agent/family_writer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace mdpipe::agent {

void append_label(std::string_view name, std::string_view value, std::string& labels) {
  if (!labels.empty()) labels += ',';
  labels.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') labels += '\\';
    if (c == '\n') {
      labels += "\\n";
    } else {
      labels += c;
    }
  }
  labels += '"';
}

void FamilyWriter::begin(std::string_view labels, std::string_view suffix) {
  if (!has_samples_) {
    out_.append("# HELP ").append(head_.name).append(1, ' ').append(head_.help);
    out_.append("\n# TYPE ").append(head_.name).append(1, ' ').append(head_.type).append(1, '\n');
    has_samples_ = true;
  }
  out_.append(head_.name).append(suffix);
  if (!labels.empty()) out_.append(1, '{').append(labels).append(1, '}');
  out_ += ' ';
}

void FamilyWriter::sample(std::string_view labels, std::uint64_t value, std::string_view suffix) {
  begin(labels, suffix);
  const fmt::format_int text(value);
  out_.append(text.data(), text.size()).append(1, '\n');
}

void FamilyWriter::sample(std::string_view labels, double value, std::string_view suffix) {
  begin(labels, suffix);
  if (std::isnan(value)) {
    out_ += "NaN";
  } else if (std::isinf(value)) {
    out_ += value > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  out_ += '\n';
}

}  // namespace mdpipe::agent
