#include "metrics-agent/forward/statsd/statsd_format.hpp"

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

// A tag may contain letters beyond ASCII.
bool is_tag_character(char c) {
  return is_name_character(c) || c == '.' || c == '/' || static_cast<unsigned char>(c) >= 0x80;
}

// At most `bytes_max` bytes of the text, without a partial UTF-8 character.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
  return text.substr(0, end);
}

// An empty part would leave two dots together, or a tag without a value.
template <typename IsSafe>
void append_safe(std::string_view text, std::size_t bytes_max, IsSafe is_safe, std::string& out) {
  const std::size_t begin = out.size();
  out += text.empty() ? kNoValue : cut_utf8(text, bytes_max);
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (!is_safe(out[i])) out[i] = '_';
  }
}

void append_tag(std::string_view key, std::string_view value, std::string& out) {
  out.append(key).append(1, ':');
  append_safe(value, kTagBytesMax - key.size() - 1, is_tag_character, out);
}

std::string without_trailing_zeros(std::string text) {
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// Without an exponent, which not every receiver can read. Between the two bounds the shortest text has none,
// and is faster to make.
std::string gauge_text(double value) {
  constexpr double kExactMax = 1e15;
  constexpr double kPlainMin = 1e-4;
  if (std::abs(value) < kExactMax && std::round(value) == value)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  if (std::abs(value) >= kPlainMin && std::abs(value) < kExactMax) return fmt::format("{}", value);
  return without_trailing_zeros(fmt::format("{:.9f}", value));
}

// Four significant digits, the precision of the buckets.
std::string duration_text(double value) {
  if (!(value > 0)) return "0";
  const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(value))), 0, 9);
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  return decimals == 0 ? text : without_trailing_zeros(text);
}

// By power of two: "|@0.015625" for the sixth, nothing for a single observation. The longest has 20 decimals.
std::vector<std::string> make_rate_texts() {
  std::vector<std::string> texts(1);
  for (std::uint64_t weight = 2; weight <= kSampleWeightMax; weight *= 2)
    texts.push_back("|@" + without_trailing_zeros(fmt::format("{:.20f}", 1.0 / static_cast<double>(weight))));
  return texts;
}

const std::string& rate_text(std::uint64_t weight) {
  static const std::vector<std::string> kTexts = make_rate_texts();
  return kTexts[static_cast<std::size_t>(__builtin_ctzll(weight))];
}

using Parts = std::vector<Undelivered::Part>;

void add_covered(const HistogramSample& sample, std::uint32_t index, Parts& parts) {
  for (const auto& [bucket, count] : sample.covers) parts.push_back({index, bucket, count});
}

// Fills one datagram after the other.
class Packer {
 public:
  explicit Packer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Lines that have to stay together, without the last line end, and the counts in them.
  void add(std::string_view lines, std::size_t points, const Parts& parts) {
    Datagram& datagram = datagram_for(lines.size());
    if (&datagram != &out_.too_long) {
      if (!datagram.text.empty()) datagram.text += '\n';
      datagram.text += lines;
    }
    datagram.points += points;
    datagram.counts.insert(datagram.counts.end(), parts.begin(), parts.end());
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

// Reuses the memory of a line: a window has thousands of them.
class Formatter {
 public:
  explicit Formatter(const StatsdFormat& format) : format_(format), packer_(format.datagram_bytes_max) {
    for (const std::string& tag : format.tags) constant_tags_ += (constant_tags_.empty() ? "" : ",") + tag;
  }

  void counter(std::uint32_t index, const SeriesKey& key, std::uint64_t count) {
    line_.clear();
    append_name(key);
    line_.append(1, ':').append(fmt::format_int(count).c_str()).append("|c");
    append_tags(key);
    parts_.assign(1, {index, 0, count});
    packer_.add(line_, 1, parts_);
  }

  // In plain StatsD a sign makes a gauge relative; so a negative gauge is set to 0 first.
  void gauge(const SeriesKey& key, double value) {
    line_.clear();
    append_name(key);
    const std::size_t name_bytes = line_.size();
    if (is_plain() && value < 0) line_.append(":0|g\n").append(line_, 0, name_bytes);
    line_.append(1, ':').append(gauge_text(value)).append("|g");
    append_tags(key);
    packer_.add(line_, 1, {});
  }

  void histogram(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    is_plain() ? timers(index, key, histogram) : distributions(index, key, histogram);
  }

  Datagrams finish() { return packer_.finish(); }

 private:
  [[nodiscard]] bool is_plain() const { return format_.flavour == StatsdFlavour::Statsd; }

  // A timer is in milliseconds, and its name says so.
  void append_name(const SeriesKey& key) {
    std::string_view base = key.info->name;
    line_ += format_.prefix;
    if (!is_plain()) return void(line_ += base);
    const bool is_timer = key.info->kind == metrics::Kind::Histogram;
    if (is_timer) base.remove_suffix(kSecondsSuffix.size());
    line_.append(base).append(is_timer ? "_ms" : "");
    for (const std::string_view label : key.labels) {
      line_ += '.';
      append_safe(label, kNamePartBytesMax, is_name_character, line_);
    }
  }

  // With their separator; nothing for plain StatsD.
  void append_tags(const SeriesKey& key) {
    if (is_plain() || (key.labels.size() == 0 && constant_tags_.empty())) return;
    std::string_view separator = "|#";
    for (std::size_t i = 0; i < key.labels.size(); ++i) {
      line_ += std::exchange(separator, ",");
      append_tag(key.info->labels[i], key.labels[i], line_);
    }
    if (!constant_tags_.empty()) line_.append(separator).append(constant_tags_);
  }

  // One line for each sample: StatsD computes percentiles from the values alone.
  void timers(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    line_.clear();
    append_name(key);
    const std::size_t name_bytes = line_.size();
    for (const HistogramSample& sample : samples_by_rank(histogram.buckets)) {
      const double milliseconds = metrics::quantile_bucket_middle(sample.bucket) * 1e-6;
      line_.resize(name_bytes);
      line_.append(1, ':').append(duration_text(milliseconds)).append("|ms").append(rate_text(sample.weight));
      parts_.clear();
      add_covered(sample, index, parts_);
      packer_.add(line_, 1, parts_);
    }
  }

  // Values of one rate share a line (protocol 1.1).
  void distributions(std::uint32_t index, const SeriesKey& key, const HistogramSum& histogram) {
    std::map<std::uint64_t, std::vector<HistogramSample>> by_weight;
    for (HistogramSample& sample : samples_by_bucket(histogram.buckets))
      by_weight[sample.weight].push_back(std::move(sample));
    line_.clear();
    append_name(key);
    const std::string name = std::exchange(line_, {});
    append_tags(key);
    const std::string tags = line_;
    for (const auto& [weight, samples] : by_weight)
      value_lines(index, name, "|d" + rate_text(weight) + tags, samples);
  }

  void value_lines(std::uint32_t index, const std::string& name, const std::string& tail,
                   const std::vector<HistogramSample>& samples) {
    std::size_t points = 0;
    const auto begin_line = [&] {
      line_ = name;
      points = 0;
      parts_.clear();
    };
    begin_line();
    for (const HistogramSample& sample : samples) {
      const std::string value = ":" + duration_text(metrics::quantile_bucket_middle(sample.bucket) * 1e-9);
      if (points > 0 && line_.size() + value.size() + tail.size() > format_.datagram_bytes_max) {
        packer_.add(line_ += tail, points, parts_);
        begin_line();
      }
      line_ += value;
      ++points;
      add_covered(sample, index, parts_);
    }
    if (points > 0) packer_.add(line_ += tail, points, parts_);
  }

  const StatsdFormat& format_;
  std::string constant_tags_;
  std::string line_;
  Parts parts_;  // of line_
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
  std::string out;
  append_tag(key, value, out);
  return out;
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
  for_each_gauge(
      store, [](const metrics::MetricInfo&) { return true; },
      [&](const SeriesKey& key, double value) { formatter.gauge(key, value); });
  return formatter.finish();
}

}  // namespace mdpipe::agent
