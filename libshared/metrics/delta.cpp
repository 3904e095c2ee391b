#include "libshared/metrics/delta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <msgpack.hpp>
#include <utility>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/quantile_histogram.hpp"
#include "libshared/wire/msgpack_reader.hpp"
#include "libshared/wire/msgpack_writer.hpp"

namespace mdpipe::metrics {
namespace {

constexpr std::uint32_t kFieldsMax = 64;
constexpr std::size_t kTextMax = 1024;
// A message's own claim of how many elements it has allocates at most this many. It may have more.
constexpr std::uint32_t kReservedMax = 65'536;
constexpr std::size_t kSeriesBytes = 112;  // more than most series need for names and values

using Packer = msgpack::packer<wire::ByteBuffer>;

void key(Packer& packer, std::string_view name) {
  packer.pack_str(static_cast<std::uint32_t>(name.size()));
  packer.pack_str_body(name.data(), static_cast<std::uint32_t>(name.size()));
}

void pack_histogram(Packer& packer, SeriesId id, const HistogramTotals& totals) {
  packer.pack_array(5);
  packer.pack(id);
  packer.pack(totals.count);
  packer.pack(totals.sum_ns);
  packer.pack(totals.bounds);
  packer.pack_array(static_cast<std::uint32_t>(totals.buckets.size()));
  for (const auto& [bucket, count] : totals.buckets) {
    packer.pack_array(2);
    packer.pack(bucket);
    packer.pack(count);
  }
}

struct FieldError {
  std::string message;
};

using Reader = wire::MsgpackReader;

std::string_view read_text(Reader& in) {
  const std::string_view text = in.read_text();
  if (text.size() > kTextMax) throw FieldError{"a text is too long"};
  return text;
}

template <typename Number>
Number read_number(Reader& in) {
  const std::uint64_t number = in.read_uint();
  if (number > std::numeric_limits<Number>::max()) throw FieldError{"a number is too large"};
  return static_cast<Number>(number);
}

// A newer release may send more elements than are read here.
class Tuple {
 public:
  Tuple(Reader& in, std::uint32_t size_min) : in_(in), left_(in.read_array()) {
    if (left_ < size_min) throw FieldError{"an array is short"};
    left_ -= size_min;
  }
  void end() {
    for (; left_ > 0; --left_) in_.skip();
  }

 private:
  Reader& in_;
  std::uint32_t left_;
};

void read_series(Reader& in, Delta& delta) {
  std::uint32_t left = in.read_array();
  delta.series.reserve(std::min(left, kReservedMax));
  for (; left > 0; --left) {
    Tuple tuple(in, 3);
    const auto id = read_number<SeriesId>(in);
    const char* const definition = in.position();
    read_text(in);
    for (std::uint32_t labels = in.read_array(); labels > 0; --labels) read_text(in);
    tuple.end();
    delta.series.push_back(id, definition);
  }
}

void read_counters(Reader& in, Delta& delta) {
  std::uint32_t left = in.read_array();
  delta.counters.reserve(std::min(left, kReservedMax));
  for (; left > 0; --left) {
    Tuple tuple(in, 2);
    const auto id = read_number<SeriesId>(in);
    delta.counters.emplace_back(id, in.read_uint());
    tuple.end();
  }
}

void read_gauges(Reader& in, Delta& delta) {
  for (std::uint32_t left = in.read_array(); left > 0; --left) {
    Tuple tuple(in, 2);
    const auto id = read_number<SeriesId>(in);
    delta.gauges.emplace_back(id, in.read_double());
    tuple.end();
  }
}

HistogramTotals read_histogram(Reader& in) {
  HistogramTotals totals;
  totals.count = in.read_uint();
  totals.sum_ns = in.read_double();
  for (std::uint32_t left = in.read_array(); left > 0; --left) totals.bounds.push_back(in.read_uint());
  if (totals.bounds.size() != kLatencyBounds.size()) throw FieldError{"a histogram has other bounds"};
  for (std::uint32_t left = in.read_array(); left > 0; --left) {
    Tuple tuple(in, 2);
    const auto bucket = read_number<std::uint32_t>(in);
    if (bucket >= kQuantileBuckets) throw FieldError{fmt::format("no quantile bucket {}", bucket)};
    totals.buckets.emplace_back(bucket, in.read_uint());
    tuple.end();
  }
  return totals;
}

void read_histograms(Reader& in, Delta& delta) {
  for (std::uint32_t left = in.read_array(); left > 0; --left) {
    Tuple tuple(in, 5);
    const auto id = read_number<SeriesId>(in);
    delta.histograms.emplace_back(id, read_histogram(in));
    tuple.end();
  }
}

struct Field {
  std::string_view name;
  void (*read)(Reader& in, Delta& delta);
};

constexpr Field kFields[] = {
    {"v", [](Reader& in, Delta&) { in.skip(); }},  // read before all others
    {"component", [](Reader& in, Delta& delta) { delta.component = read_text(in); }},
    {"source", [](Reader& in, Delta& delta) { delta.source = read_text(in); }},
    {"epoch", [](Reader& in, Delta& delta) { delta.epoch = in.read_uint(); }},
    {"origin", [](Reader& in, Delta& delta) { delta.origin = in.read_uint(); }},
    {"n", [](Reader& in, Delta& delta) { delta.n = in.read_uint(); }},
    {"time", [](Reader& in, Delta& delta) { delta.time_ns = in.read_int(); }},
    {"full", [](Reader& in, Delta& delta) { delta.full = in.read_bool(); }},
    {"last", [](Reader& in, Delta& delta) { delta.last = in.read_bool(); }},
    {"series", read_series},
    {"counters", read_counters},
    {"gauges", read_gauges},
    {"histograms", read_histograms},
};

// The fields of another version may have other forms.
void check_version(Reader in) {
  std::uint32_t left = in.read_map();
  while (left > 0 && in.read_text() != "v") {
    in.skip();
    --left;
  }
  if (left == 0) throw FieldError{"no field 'v'"};
  const std::uint64_t version = in.read_uint();
  if (version != kMetricsWireVersion) {
    throw FieldError{fmt::format(
        "metrics wire version {} where this program speaks {}; run the same mdpipe release everywhere",
        version, kMetricsWireVersion)};
  }
}

Delta read_delta(std::string_view bytes) {
  check_version(Reader(bytes));
  Delta delta;
  delta.series.refer_to(bytes);
  std::array<bool, std::size(kFields)> seen{};
  Reader in(bytes);
  const std::uint32_t count = in.read_map();
  if (count > kFieldsMax) throw FieldError{"it has too many fields"};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string_view name = in.read_text();
    const auto* const field = std::find_if(std::begin(kFields), std::end(kFields),
                                           [name](const Field& one) { return one.name == name; });
    const bool is_first =
        field != std::end(kFields) && !std::exchange(seen[static_cast<std::size_t>(field - kFields)], true);
    if (is_first) {
      field->read(in, delta);
    } else {
      in.skip();
    }
  }
  const auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing != seen.end())
    throw FieldError{fmt::format("no field '{}'", kFields[missing - seen.begin()].name)};
  return delta;
}

}  // namespace

void SeriesDefinitions::reserve(std::size_t count) {
  entries_.reserve(count);
  if (table_ == nullptr && message_.empty()) own_.reserve(count * kSeriesBytes);
}

void SeriesDefinitions::push_back(const SeriesDefinition& definition) {
  assert(table_ == nullptr && message_.empty());
  entries_.push_back({definition.id, static_cast<std::uint32_t>(own_.size())});
  wire::MsgpackWriter out(own_);
  out.text(definition.name);
  out.array(static_cast<std::uint32_t>(definition.labels.size()));
  for (const std::string_view label : definition.labels) out.text(label);
}

void SeriesDefinitions::refer_to(const SeriesTable& table) {
  *this = SeriesDefinitions();
  table_ = &table;
}

void SeriesDefinitions::push_back(SeriesId id, std::uint32_t series) {
  assert(table_ != nullptr);
  entries_.push_back({id, series});
}

void SeriesDefinitions::refer_to(std::string_view message) {
  *this = SeriesDefinitions();
  message_ = message;
}

void SeriesDefinitions::push_back(SeriesId id, const char* at) {
  assert(!message_.empty());
  entries_.push_back({id, static_cast<std::uint32_t>(at - message_.data())});
}

void SeriesDefinitions::take_over() {
  SeriesDefinitions owner;
  owner.reserve(size());
  for (const SeriesDefinition& definition : *this) owner.push_back(definition);
  *this = std::move(owner);
}

SeriesDefinition SeriesDefinitions::operator[](std::size_t index) const {
  const Entry& entry = entries_[index];
  if (table_ != nullptr) {
    const SeriesKey key = (*table_)[entry.place];
    return {entry.id, key.info->name, key.labels};
  }
  Reader in((message_.empty() ? own_.view() : message_).substr(entry.place));
  SeriesDefinition out{entry.id, in.read_text(), {}};
  for (std::uint32_t left = in.read_array(); left > 0; --left) out.labels.push_back(in.read_text());
  return out;
}

void SeriesDefinitions::clear() {
  entries_.clear();
  own_.clear();
}

void encode(const Delta& delta, wire::ByteBuffer& out) {
  out.reserve(out.size() + delta.series.size() * kSeriesBytes);
  Packer packer(out);
  packer.pack_map(13);
  key(packer, "v");
  packer.pack(kMetricsWireVersion);
  key(packer, "component");
  packer.pack(delta.component);
  key(packer, "source");
  packer.pack(delta.source);
  key(packer, "epoch");
  packer.pack(delta.epoch);
  key(packer, "origin");
  packer.pack(delta.origin);
  key(packer, "n");
  packer.pack(delta.n);
  key(packer, "time");
  packer.pack(delta.time_ns);
  key(packer, "full");
  packer.pack(delta.full);
  key(packer, "last");
  packer.pack(delta.last);
  key(packer, "series");
  packer.pack_array(static_cast<std::uint32_t>(delta.series.size()));
  for (const SeriesDefinition& series : delta.series) {
    packer.pack_array(3);
    packer.pack(series.id);
    key(packer, series.name);
    packer.pack_array(static_cast<std::uint32_t>(series.labels.size()));
    for (const std::string_view label : series.labels) key(packer, label);
  }
  key(packer, "counters");
  packer.pack_array(static_cast<std::uint32_t>(delta.counters.size()));
  for (const auto& [id, total] : delta.counters) {
    packer.pack_array(2);
    packer.pack(id);
    packer.pack(total);
  }
  key(packer, "gauges");
  packer.pack_array(static_cast<std::uint32_t>(delta.gauges.size()));
  for (const auto& [id, value] : delta.gauges) {
    packer.pack_array(2);
    packer.pack(id);
    packer.pack(value);
  }
  key(packer, "histograms");
  packer.pack_array(static_cast<std::uint32_t>(delta.histograms.size()));
  for (const auto& [id, totals] : delta.histograms) pack_histogram(packer, id, totals);
}

Result<Delta> decode_delta(std::string_view bytes) {
  const auto refuse = [](std::string_view why) {
    return Error{ErrorKind::Protocol, fmt::format("metrics message refused: {}", why)};
  };
  try {
    return read_delta(bytes);
  } catch (const FieldError& error) {
    return refuse(error.message);
  } catch (const wire::MsgpackReader::Malformed& error) {
    return refuse(error.why);
  }
}

}  // namespace mdpipe::metrics
