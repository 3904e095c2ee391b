#include "metrics-agent/forward/statsd_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "libshared/metrics/quantile_histogram.hpp"
#include "metrics-agent/forward/gauges.hpp"
#include "metrics-agent/forward/histogram_samples.hpp"

namespace mdpipe::agent {
namespace {

constexpr std::size_t kNamePartBytesMax = 128;
constexpr std::size_t kTagBytesMax = 200;  // Datadog cuts longer ones
constexpr std::string_view kNoValue = "none";
constexpr std::string_view kSecondsSuffix = "_seconds";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) { return is_alphanumeric(c) || c == '_' || c == '-'; }

// Letters beyond ASCII may stand in a tag.
bool is_tag_character(char c) {
  return is_name_character(c) || c == '.' || c == '/' || static_cast<unsigned char>(c) >= 0x80;
}

// At most `bytes_max` of UTF-8, no character of which is cut.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
  return text.substr(0, end);
}

// An empty part would leave two dots together, or a tag without a value.
std::string made_safe(std::string_view text, std::size_t bytes_max, bool (*is_safe)(char)) {
  std::string out(text.empty() ? kNoValue : cut_utf8(text, bytes_max));
  std::replace_if(
      out.begin(), out.end(), [is_safe](char c) { return !is_safe(c); }, '_');
  return out;
}

std::string without_trailing_zeros(std::string text) {
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// Plain notation: not every receiver reads exponents.
std::string gauge_text(double value) {
  constexpr double kExactMax = 1e15;
  if (std::abs(value) < kExactMax && std::round(value) == value)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return without_trailing_zeros(fmt::format("{:.9f}", value));
}

// Four significant digits, which is what the buckets know.
std::string duration_text(double value) {
  if (!(value > 0)) return "0";
  const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(value))), 0, 9);
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  return decimals == 0 ? text : without_trailing_zeros(text);
}

// "|@0.015625", or nothing for a single observation.
std::string rate_text(std::uint64_t weight) {
  if (weight == 1) return {};
  return "|@" + without_trailing_zeros(fmt::format("{:.20f}", 1.0 / static_cast<double>(weight)));
}

void add_covered(const HistogramSample& sample, std::uint32_t index, std::vector<Undelivered::Part>& counts) {
  for (const auto& [bucket, count] : sample.covers) counts.push_back({index, bucket, count});
}

// Fills one datagram after the other.
class Packer {
 public:
  explicit Packer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Lines that have to stay together, without their last line end.
  void add(std::string_view lines, std::size_t points, const std::vector<Undelivered::Part>& counts = {}) {
    Datagram& datagram = datagram_for(lines.size());
    if (&datagram != &out_.too_long) {
      if (!datagram.text.empty()) datagram.text += '\n';
      datagram.text += lines;
    }
    datagram.points += points;
    datagram.counts.insert(datagram.counts.end(), counts.begin(), counts.end());
  }
  Datagrams finish() { return std::move(out_); }

 private:
  Datagram& datagram_for(std::size_t bytes) {
    if (bytes > bytes_max_) return out_.too_long;
    if (out_.list.empty() || out_.list.back().text.size() + 1 + bytes > bytes_max_) {
      out_.list.emplace_back().text.reserve(bytes_max_);
    }
    return out_.list.back();
  }

  std::size_t bytes_max_;
  Datagrams out_;
};

class Formatter {
 public:
  explicit Formatter(const StatsdFormat& format) : format_(format), packer_(format.datagram_bytes_max) {
    for (const std::string& tag : format.tags) constant_tags_ += (constant_tags_.empty() ? "" : ",") + tag;
  }

  void counter(std::uint32_t index, const SeriesKey& key, std::uint64_t count) {
    packer_.add(fmt::format("{}:{}|c{}", name_of(key), count, tags_of(key)), 1, {{index, 0, count}});
  }

  // A sign makes a plain StatsD gauge relative, so that a negative one is set to 0 first.
  void gauge(const SeriesKey& key, double value) {
    const std::string name = name_of(key), tags = tags_of(key);
    const bool is_relative = is_plain() && value < 0;
    packer_.add(fmt::format("{}{}:{}|g{}", is_relative ? name + ":0|g\n" : "", name, gauge_text(value), tags),
                1);
  }

  void histogram(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    is_plain() ? timers(index, key, histogram) : distributions(index, key, histogram);
  }

  Datagrams finish() { return packer_.finish(); }

 private:
  [[nodiscard]] bool is_plain() const { return format_.flavour == StatsdFlavour::Statsd; }

  // A timer is in milliseconds, and its name says so.
  [[nodiscard]] std::string name_of(const SeriesKey& key) const {
    std::string_view base = key.info->name;
    if (!is_plain()) return format_.prefix + std::string(base);
    const bool is_timer = key.info->kind == metrics::Kind::Histogram;
    if (is_timer) base.remove_suffix(kSecondsSuffix.size());
    std::string name = format_.prefix + std::string(base) + (is_timer ? "_ms" : "");
    for (const std::string_view label : key.labels)
      name.append(1, '.').append(made_safe(label, kNamePartBytesMax, is_name_character));
    return name;
  }

  // With its separator; nothing for plain StatsD.
  [[nodiscard]] std::string tags_of(const SeriesKey& key) const {
    if (is_plain()) return {};
    std::string tags;
    for (std::size_t i = 0; i < key.labels.size(); ++i)
      tags.append(1, ',').append(statsd_tag(key.info->labels[i], key.labels[i]));
    if (!constant_tags_.empty()) tags.append(1, ',').append(constant_tags_);
    if (tags.empty()) return {};
    return "|#" + tags.substr(1);
  }

  // One line a sample: StatsD takes its percentiles of the values alone.
  void timers(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    const std::string name = name_of(key);
    for (const HistogramSample& sample : samples_by_rank(histogram.buckets)) {
      std::vector<Undelivered::Part> counts;
      add_covered(sample, index, counts);
      const double milliseconds = metrics::quantile_bucket_middle(sample.bucket) * 1e-6;
      packer_.add(fmt::format("{}:{}|ms{}", name, duration_text(milliseconds), rate_text(sample.weight)), 1,
                  counts);
    }
  }

  // Values of one rate share a line (protocol 1.1).
  void distributions(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    std::map<std::uint64_t, std::vector<HistogramSample>> by_weight;
    for (HistogramSample& sample : samples_by_bucket(histogram.buckets))
      by_weight[sample.weight].push_back(std::move(sample));
    const std::string name = name_of(key), tags = tags_of(key);
    for (const auto& [weight, samples] : by_weight)
      value_lines(index, name, "|d" + rate_text(weight) + tags, samples);
  }

  void value_lines(std::uint32_t index, const std::string& name, const std::string& tail,
                   const std::vector<HistogramSample>& samples) {
    std::string line = name;
    std::size_t points = 0;
    std::vector<Undelivered::Part> counts;
    const auto end_line = [&] {
      packer_.add(line + tail, points, counts);
      line = name;
      points = 0;
      counts.clear();
    };
    for (const HistogramSample& sample : samples) {
      const std::string value = ":" + duration_text(metrics::quantile_bucket_middle(sample.bucket) * 1e-9);
      if (points > 0 && line.size() + value.size() + tail.size() > format_.datagram_bytes_max) end_line();
      line += value;
      ++points;
      add_covered(sample, index, counts);
    }
    if (points > 0) end_line();
  }

  const StatsdFormat& format_;
  std::string constant_tags_;
  Packer packer_;
};

constexpr std::size_t histograms_of_another_unit() {
  std::size_t count = 0;
  for (const auto& info : metrics::kCatalogue) {
    const std::size_t end = std::max(info.name.size(), kSecondsSuffix.size()) - kSecondsSuffix.size();
    count += info.kind == metrics::Kind::Histogram && info.name.substr(end) != kSecondsSuffix ? 1 : 0;
  }
  return count;
}
static_assert(histograms_of_another_unit() == 0, "a histogram is a duration in seconds");

}  // namespace

std::string statsd_tag(std::string_view key, std::string_view value) {
  return fmt::format("{}:{}", key, made_safe(value, kTagBytesMax - key.size() - 1, is_tag_character));
}

Datagrams statsd_datagrams(const Undelivered& counts, const SnapshotStore& store,
                           const StatsdFormat& format) {
  Formatter formatter(format);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Undelivered::Entry& entry = counts[i];
    if (entry.is_empty()) continue;
    const auto index = static_cast<std::uint32_t>(i);
    if (entry.histogram) {
      formatter.histogram(index, counts.key(i), *entry.histogram);
    } else {
      formatter.counter(index, counts.key(i), entry.count);
    }
  }
  for_each_gauge(store, [&](const SeriesKey& key, double value) { formatter.gauge(key, value); });
  return formatter.finish();
}

}  // namespace mdpipe::agent
