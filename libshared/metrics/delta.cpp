#include "libshared/metrics/delta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <msgpack.hpp>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::metrics {
namespace {

// A full message of 100,000 series fits, hostile sizes do not. msgpack-c takes an array's memory when it
// reads its length, so an array may not claim more elements than the message has bytes: each element takes at
// least one.
msgpack::unpack_limit limits_for(std::size_t bytes) {
  constexpr std::size_t kArrayMax = 1 << 20;
  constexpr std::size_t kMapMax = 64;
  constexpr std::size_t kTextMax = 1024;
  constexpr std::size_t kDepthMax = 8;
  return {std::min(kArrayMax, bytes), kMapMax, kTextMax, 0, 0, kDepthMax};
}

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

const msgpack::object& field(const msgpack::object& map, std::string_view name) {
  for (std::uint32_t i = 0; i < map.via.map.size; ++i) {
    const msgpack::object_kv& pair = map.via.map.ptr[i];
    if (pair.key.type == msgpack::type::STR &&
        std::string_view(pair.key.via.str.ptr, pair.key.via.str.size) == name) {
      return pair.val;
    }
  }
  throw FieldError{fmt::format("no field '{}'", name)};
}

const msgpack::object_array& array(const msgpack::object& object, std::uint32_t size_min) {
  if (object.type != msgpack::type::ARRAY || object.via.array.size < size_min)
    throw FieldError{"an array is missing or short"};
  return object.via.array;
}

HistogramTotals read_histogram(const msgpack::object_array& entry) {
  HistogramTotals totals;
  totals.count = entry.ptr[1].as<std::uint64_t>();
  totals.sum_ns = entry.ptr[2].as<double>();
  totals.bounds = entry.ptr[3].as<std::vector<std::uint64_t>>();
  if (totals.bounds.size() != kLatencyBounds.size()) throw FieldError{"a histogram has other bounds"};
  const auto& buckets = array(entry.ptr[4], 0);
  for (std::uint32_t i = 0; i < buckets.size; ++i) {
    const auto& pair = array(buckets.ptr[i], 2);
    const auto bucket = pair.ptr[0].as<std::uint32_t>();
    if (bucket >= kQuantileBuckets) throw FieldError{fmt::format("no quantile bucket {}", bucket)};
    totals.buckets.emplace_back(bucket, pair.ptr[1].as<std::uint64_t>());
  }
  return totals;
}

Delta read_delta(const msgpack::object& map) {
  if (map.type != msgpack::type::MAP) throw FieldError{"not a map"};
  const auto version = field(map, "v").as<std::uint32_t>();
  if (version != kMetricsWireVersion) {
    throw FieldError{fmt::format(
        "metrics wire version {} where this program speaks {}; run the same mdpipe release everywhere",
        version, kMetricsWireVersion)};
  }
  Delta delta;
  delta.component = field(map, "component").as<std::string>();
  delta.source = field(map, "source").as<std::string>();
  delta.epoch = field(map, "epoch").as<std::uint64_t>();
  delta.origin = field(map, "origin").as<std::uint64_t>();
  delta.n = field(map, "n").as<std::uint64_t>();
  delta.time_ns = field(map, "time").as<std::int64_t>();
  delta.full = field(map, "full").as<bool>();
  delta.last = field(map, "last").as<bool>();
  const auto& series = array(field(map, "series"), 0);
  for (std::uint32_t i = 0; i < series.size; ++i) {
    const auto& entry = array(series.ptr[i], 3);
    delta.series.push_back({entry.ptr[0].as<SeriesId>(), entry.ptr[1].as<std::string>(),
                            entry.ptr[2].as<std::vector<std::string>>()});
  }
  const auto& counters = array(field(map, "counters"), 0);
  for (std::uint32_t i = 0; i < counters.size; ++i) {
    const auto& entry = array(counters.ptr[i], 2);
    delta.counters.emplace_back(entry.ptr[0].as<SeriesId>(), entry.ptr[1].as<std::uint64_t>());
  }
  const auto& gauges = array(field(map, "gauges"), 0);
  for (std::uint32_t i = 0; i < gauges.size; ++i) {
    const auto& entry = array(gauges.ptr[i], 2);
    delta.gauges.emplace_back(entry.ptr[0].as<SeriesId>(), entry.ptr[1].as<double>());
  }
  const auto& histograms = array(field(map, "histograms"), 0);
  for (std::uint32_t i = 0; i < histograms.size; ++i) {
    const auto& entry = array(histograms.ptr[i], 5);
    delta.histograms.emplace_back(entry.ptr[0].as<SeriesId>(), read_histogram(entry));
  }
  return delta;
}

}  // namespace

void encode(const Delta& delta, wire::ByteBuffer& out) {
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
    packer.pack(series.name);
    packer.pack(series.labels);
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
    const auto handle =
        msgpack::unpack(bytes.data(), bytes.size(), nullptr, nullptr, limits_for(bytes.size()));
    return read_delta(handle.get());
  } catch (const FieldError& error) {
    return refuse(error.message);
  } catch (const std::exception& error) {  // msgpack-c's own: truncated, too large, a wrong type
    return refuse(error.what());
  }
}

}  // namespace mdpipe::metrics
