#include "metrics-agent/store/snapshot_store.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "libshared/json/json_string.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;

constexpr CellIndex kRefused = kNoCell - 1;
constexpr std::size_t kSourcesMax = 256;
constexpr std::size_t kHistogramsMax = 512;  // each takes about 50 KB with its window
constexpr std::size_t kEndedEpochsMax = 16;
constexpr std::size_t kEndedOriginsMax = 4;
constexpr std::size_t kLabelBytesMax = 256;

}  // namespace

bool is_gauge_on_wire(const metrics::MetricInfo& info) {
  return info.kind == Kind::Gauge || info.kind == Kind::StateSet ||
         info.metric == metrics::Metric::ProcessCpuSeconds;
}

bool is_label_text(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  return text.size() <= kLabelBytesMax && simdjson::validate_utf8(text) &&
         std::none_of(text.begin(), text.end(), is_control);
}

Applied SnapshotStore::apply(const metrics::Delta& delta, Moment now) {
  Applied applied;
  Source* source = find_or_add(delta, now, applied);
  if (source == nullptr) return applied;
  if (!enter_epoch(*source, delta, applied)) {
    applied.verdict = Applied::Verdict::Stale;
    return applied;
  }
  if (source->message_n != 0) applied.messages_lost = delta.n - source->message_n - 1;
  applied.is_back = !source->up && !applied.is_new && !delta.last;
  source->message_n = delta.n;
  source->last_seen = now;
  source->up = !delta.last;
  source->said_goodbye = delta.last;

  // Until a full message has named the series, totals could not all be placed; that message corrects them.
  if (delta.full && !source->synced) {
    source->synced = true;
    if (source->first_origin == 0) source->first_origin = source->origin;
  }
  if (!source->synced) {
    applied.verdict = Applied::Verdict::NotSynced;
    return applied;
  }
  ++stamp_;
  for (const auto& definition : delta.series) define(*source, definition, applied);
  set_values(*source, delta);
  return applied;
}

Source* SnapshotStore::find_or_add(const metrics::Delta& delta, Moment now, Applied& applied) {
  const std::string key = delta.component + '\0' + delta.source;
  if (const auto found = sources_by_key_.find(key); found != sources_by_key_.end())
    return &sources_[found->second];
  applied.verdict = Applied::Verdict::Refused;
  if (delta.component.empty() || !is_label_text(delta.component) || !is_label_text(delta.source)) {
    applied.reason =
        fmt::format("the component name '{}' or source name '{}' is empty, too long or not UTF-8",
                    printable_sample(delta.component, 64), printable_sample(delta.source, 64));
    return nullptr;
  }
  if (sources_.size() >= kSourcesMax) {
    applied.reason = fmt::format("{} sources are known already", kSourcesMax);
    return nullptr;
  }
  applied.verdict = Applied::Verdict::Merged;
  applied.is_new = true;
  sources_by_key_.emplace(key, static_cast<SourceIndex>(sources_.size()));
  Source& source = sources_.emplace_back();
  source.component = delta.component;
  source.name = delta.source;
  source.epoch = delta.epoch;
  source.origin = delta.origin;
  source.last_seen = now;
  return &source;
}

// False if the message is older than what is known. An older epoch is a late message while the running one
// continues; after that, it is a restart under a clock that was set back.
bool SnapshotStore::enter_epoch(Source& source, const metrics::Delta& delta, Applied& applied) {
  if (delta.epoch == source.epoch) return delta.n > source.message_n;
  auto& ended = source.ended_epochs;
  if (std::find(ended.begin(), ended.end(), delta.epoch) != ended.end()) return false;
  if (delta.epoch < source.epoch && source.up) return false;
  if (ended.size() >= kEndedEpochsMax) ended.erase(ended.begin());
  ended.push_back(source.epoch);
  for (const CellIndex index : source.cells) {
    cells_[index].gauge_stamp = 0;
  }
  if (delta.origin != source.origin) enter_origin(source, delta.origin);
  source.epoch = delta.epoch;
  source.message_n = 0;
  source.synced = false;
  source.cells_by_id.clear();
  applied.has_restarted = true;
  return true;
}

void SnapshotStore::enter_origin(Source& source, std::uint64_t origin) {
  auto& ended = source.ended_origins;
  Source::EndedOrigin leaving{source.origin, {}, {}};
  for (const CellIndex index : source.cells) {
    Cell& cell = cells_[index];
    if (cell.current > 0) leaving.totals.emplace_back(index, cell.current);
    cell.ended += std::exchange(cell.current, 0);
    if (!cell.histogram || cell.histogram->current.count == 0) continue;
    leaving.histograms.emplace_back(index, cell.histogram->current.totals());
    cell.histogram->ended.add(std::exchange(cell.histogram->current, HistogramSum()));
  }
  const auto known =
      std::find_if(ended.begin(), ended.end(), [origin](const auto& one) { return one.origin == origin; });
  if (known != ended.end()) {
    for (const auto& [index, total] : known->totals) {
      cells_[index].ended -= total;
      cells_[index].current = total;
    }
    for (const auto& [index, totals] : known->histograms) {
      Cell::Histogram& histogram = *cells_[index].histogram;
      histogram.current = HistogramSum::from(totals);
      histogram.ended = histogram.ended.since(histogram.current);
    }
    ended.erase(known);
  }
  if (ended.size() >= kEndedOriginsMax) ended.erase(ended.begin());
  ended.push_back(std::move(leaving));
  source.origin = origin;
}

void SnapshotStore::define(Source& source, const metrics::SeriesDefinition& definition, Applied& applied) {
  std::string reason;
  if (definition.id >= limits_.series_max) {
    reason = fmt::format("its number {} is above --series-max", definition.id);
  } else {
    if (definition.id >= source.cells_by_id.size()) source.cells_by_id.resize(definition.id + 1, kNoCell);
    CellIndex& slot = source.cells_by_id[definition.id];
    if (slot != kNoCell) return;  // known, or refused and counted before
    slot = find_or_add_cell(source, definition, reason);
  }
  if (reason.empty()) return;
  ++applied.series_refused;
  if (applied.reason.empty()) {
    applied.reason = fmt::format("series '{}': {}", printable_sample(definition.name, 64), reason);
  }
}

CellIndex SnapshotStore::find_or_add_cell(Source& source, const metrics::SeriesDefinition& definition,
                                          std::string& reason) {
  // The catalogue is closed: a name from a newer component has no kind, help or labels here, so exposing it
  // would be a guess. It is refused and counted; the remedy is to run one release everywhere.
  const metrics::MetricInfo* info = metrics::find_metric(definition.name);
  if (info == nullptr) reason = "not in this release's catalogue; run the same mdpipe release everywhere";
  if (info != nullptr && definition.labels.size() != info->label_count()) reason = "a wrong number of labels";
  if (!std::all_of(definition.labels.begin(), definition.labels.end(), is_label_text))
    reason = "a label is not text";
  if (!reason.empty()) return kRefused;

  const auto source_index = static_cast<SourceIndex>(&source - sources_.data());
  const auto known = series_.find(info->metric, definition.labels);
  if (known) {
    if (const CellIndex cell = find_cell(*known, source_index); cell != kNoCell) return cell;
  }
  const bool is_histogram = info->kind == Kind::Histogram;
  if (cells_.size() >= limits_.series_max || (is_histogram && histogram_count_ >= kHistogramsMax)) {
    reason = is_histogram ? "the limit of series (--series-max) or of histograms is reached"
                          : "the limit of series (--series-max) is reached";
    return kRefused;
  }
  const auto index = static_cast<CellIndex>(cells_.size());
  Cell& cell = cells_.emplace_back();
  cell.series = series_.find_or_add(info->metric, definition.labels);
  cell.source = source_index;
  if (known) {
    cell.next = std::exchange(first_cells_[*known], index);
  } else {
    first_cells_.push_back(index);
  }
  if (is_histogram) {
    cell.histogram = std::make_unique<Cell::Histogram>();
    ++histogram_count_;
  }
  source.cells.push_back(index);
  return index;
}

CellIndex SnapshotStore::find_cell(SeriesIndex series, SourceIndex source) const {
  CellIndex index = first_cells_[series];
  while (index != kNoCell && cells_[index].source != source) index = cells_[index].next;
  return index;
}

Cell* SnapshotStore::cell_of(Source& source, metrics::SeriesId id) {
  if (id >= source.cells_by_id.size() || source.cells_by_id[id] >= kRefused) return nullptr;
  return &cells_[source.cells_by_id[id]];
}

// A total that decreased inside an epoch, or a value of another kind, is an error of the sender and changes
// nothing.
void SnapshotStore::set_values(Source& source, const metrics::Delta& delta) {
  for (const auto& [id, total] : delta.counters) {
    Cell* cell = cell_of(source, id);
    if (cell == nullptr || info(*cell).kind != Kind::Counter) continue;
    cell->current = std::max(cell->current, total);
  }
  for (const auto& [id, value] : delta.gauges) {
    Cell* cell = cell_of(source, id);
    if (cell == nullptr || !is_gauge_on_wire(info(*cell))) continue;
    cell->gauge = value;
    cell->gauge_stamp = std::isnan(value) ? 0 : stamp_;  // NaN: its component withdrew it
  }
  for (const auto& [id, totals] : delta.histograms) {
    Cell* cell = cell_of(source, id);
    if (cell == nullptr || !cell->histogram || !adds_up(totals)) continue;
    if (totals.count >= cell->histogram->current.count) cell->histogram->current = HistogramSum::from(totals);
  }
}

std::vector<SourceIndex> SnapshotStore::expire(SteadyTime now) {
  std::vector<SourceIndex> changed;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (!source.up || now - source.last_seen.steady < limits_.component_timeout) continue;
    source.up = false;
    changed.push_back(static_cast<SourceIndex>(i));
  }
  return changed;
}

metrics::Delta SnapshotStore::totals(SourceIndex index) const {
  const Source& source = sources_[index];
  metrics::Delta delta;
  delta.component = source.component;
  delta.source = source.name;
  delta.epoch = source.epoch;
  delta.origin = source.origin;
  delta.n = source.message_n;
  delta.time_ns = source.last_seen.wall.count;
  delta.full = true;
  delta.series.refer_to(series_);
  delta.series.reserve(source.cells.size());
  delta.counters.reserve(source.cells.size());
  for (std::size_t i = 0; i < source.cells.size(); ++i) {
    const Cell& cell = cells_[source.cells[i]];
    if (is_gauge_on_wire(info(cell))) continue;
    const auto id = static_cast<metrics::SeriesId>(i);
    delta.series.push_back(id, cell.series);
    if (cell.histogram) {
      delta.histograms.emplace_back(id, cell.histogram->current.totals());
    } else {
      delta.counters.emplace_back(id, cell.current);
    }
  }
  return delta;
}

}  // namespace mdpipe::agent
