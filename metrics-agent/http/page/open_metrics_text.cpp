#include "metrics-agent/http/page/open_metrics_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "libshared/text/ascii.hpp"
#include "libshared/text/format.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kInfo = "_info";
constexpr std::array<std::string_view, 2> kUnits = {"seconds", "bytes"};

// The specification's name for a kind of family; a gauge named _info is a constant with labels.
std::string_view type_name(const FamilyHead& head) {
  switch (head.kind) {
    case Kind::Counter:
      return "counter";
    case Kind::Histogram:
      return "histogram";
    case Kind::Gauge:
    case Kind::StateSet:
      break;
  }
  return ascii::ends_with(head.name, kInfo) ? "info" : "gauge";
}

// The name of a family lacks the suffix that its kind adds to the names of samples.
std::string_view family_name(const FamilyHead& head) {
  std::string_view name = head.name;
  for (const std::string_view suffix : {kTotal, kInfo}) {
    if (ascii::ends_with(name, suffix)) name.remove_suffix(suffix.size());
  }
  return name;
}

std::string_view unit_of(std::string_view family) {
  for (const std::string_view unit : kUnits) {
    if (ascii::ends_with(family, unit) && family.size() > unit.size() &&
        family[family.size() - unit.size() - 1] == '_')
      return unit;
  }
  return {};
}

void append_escaped(std::string_view text, std::string& out) {
  if (text.find_first_of("\\\"\n") == std::string_view::npos) {
    out.append(text);
    return;
  }
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
      continue;
    }
    if (c == '\\' || c == '"') out.push_back('\\');
    out.push_back(c);
  }
}

void append(std::uint64_t count, std::string& out) {
  const fmt::format_int text(count);
  out.append(text.data(), text.size());
}

void append(double number, std::string& out) {
  if (std::isnan(number)) {
    out.append("NaN");
  } else if (std::isinf(number)) {
    out.append(number > 0 ? "+Inf" : "-Inf");
  } else {
    append_format(out, "{}", number);
  }
}

// "1.0", "0.005": never without a point.
std::string canonical(double bound) {
  std::string text;
  append(bound, text);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

void OpenMetricsText::begin_family(const FamilyHead& head) {
  head_ = head;
  has_head_ = false;
}

void OpenMetricsText::add_count(const LabelList& labels, std::uint64_t count) {
  begin_sample({}, labels);
  append(count, out_);
  end_sample();
}

void OpenMetricsText::add_number(const LabelList& labels, double number) {
  begin_sample({}, labels);
  append(number, out_);
  end_sample();
}

void OpenMetricsText::add_histogram(const LabelList& labels, const MergedValue& value,
                                    const HistogramScale& scale) {
  const auto add = [&](std::string_view suffix, std::string_view le, auto number) {
    begin_sample(suffix, labels, le);
    append(number, out_);
    end_sample();
  };
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    cumulative += value.bounds[i];
    if (scale.bounds[i] > 0) add("_bucket", canonical(scale.bounds[i]), cumulative);
  }
  add("_bucket", "+Inf", value.count);
  add("_count", {}, value.count);
  add("_sum", {}, value.sum_ns * scale.sum_factor);
}

void OpenMetricsText::end_page() { out_.append("# EOF\n"); }

void OpenMetricsText::write_head() {
  has_head_ = true;
  const std::string_view name = family_name(head_);
  out_.append("# TYPE ").append(name).append(" ").append(type_name(head_)).append("\n");
  if (const std::string_view unit = unit_of(name); !unit.empty())
    out_.append("# UNIT ").append(name).append(" ").append(unit).append("\n");
  out_.append("# HELP ").append(name).append(" ");
  append_escaped(head_.help, out_);
  out_.append("\n");
}

void OpenMetricsText::begin_sample(std::string_view suffix, const LabelList& labels, std::string_view le) {
  if (!has_head_) write_head();
  out_.append(head_.name).append(suffix);
  char before = '{';
  const auto add = [&](std::string_view name, std::string_view value) {
    out_.push_back(before);
    out_.append(name).append("=\"");
    append_escaped(value, out_);
    out_.push_back('"');
    before = ',';
  };
  for (const Label& label : labels) add(label.name, label.value);
  if (!le.empty()) add("le", le);
  if (before == ',') out_.push_back('}');
  out_.push_back(' ');
}

void OpenMetricsText::end_sample() {
  out_.push_back('\n');
  page_.flush_if_large();
}

}  // namespace mdpipe::agent
