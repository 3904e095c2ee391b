#include "metrics-agent/window/window.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace mdpipe::agent {
namespace {

std::uint64_t increase(std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; }

std::string text_key(std::string_view name, const metrics::LabelValues& labels) {
  std::string key(name);
  for (const std::string_view label : labels) {
    key += '\0';
    key += label;
  }
  return key;
}

}  // namespace

WindowBook::WindowBook(SteadyTime now, WindowCheckpoint checkpoint)
    : begin_(checkpoint.end ? std::min(*checkpoint.end, now) : now),
      restored_(std::move(checkpoint.covered)) {}

Window WindowBook::close(const SnapshotStore& store, SteadyTime now) {
  covered_.resize(store.cells().size());
  adopt_checkpoint(store);
  Window window;
  window.span = now - std::exchange(begin_, now);
  window.counts.resize(store.cells().size());
  for (std::size_t i = 0; i < store.cells().size(); ++i) {
    const Cell& cell = store.cells()[i];
    Covered& covered = covered_[i];
    if (!cell.histogram) {
      window.counts[i] = increase(cell.total(), covered.counter);
      covered.counter = std::max(covered.counter, cell.total());
      continue;
    }
    const std::uint64_t count = cell.histogram->ended.count + cell.histogram->current.count;
    if (count == (covered.histogram ? covered.histogram->count : 0)) continue;
    auto total = std::make_unique<HistogramSum>(cell.histogram->ended);
    total->add(cell.histogram->current);
    window.histograms.emplace_back(static_cast<CellIndex>(i),
                                   covered.histogram ? total->since(*covered.histogram) : *total);
    covered.histogram = std::move(total);
  }
  return window;
}

// A source whose origin is the one in the checkpoint continues from it. Otherwise the component has restarted
// meanwhile: none of its totals were counted, and the checkpoint's entry is not needed any more.
void WindowBook::adopt_checkpoint(const SnapshotStore& store) {
  for (const Source& source : store.sources()) {
    if (source.first_origin == 0 || restored_.empty()) continue;
    const auto entry =
        std::find_if(restored_.begin(), restored_.end(), [&source](const metrics::Delta& delta) {
          return delta.component == source.component && delta.source == source.name;
        });
    if (entry == restored_.end()) continue;
    if (entry->origin == source.first_origin) seed(store, source, *entry);
    restored_.erase(entry);
  }
}

void WindowBook::seed(const SnapshotStore& store, const Source& source, const metrics::Delta& covered) {
  std::unordered_map<std::string, CellIndex> cells;
  for (const CellIndex index : source.cells) {
    const SeriesKey key = store.key(store.cells()[index]);
    cells.emplace(text_key(key.info->name, key.labels), index);
  }
  std::unordered_map<metrics::SeriesId, CellIndex> by_id;
  for (const auto& definition : covered.series) {
    const auto found = cells.find(text_key(definition.name, definition.labels));
    if (found != cells.end()) by_id.emplace(definition.id, found->second);
  }
  for (const auto& [id, total] : covered.counters) {
    if (const auto found = by_id.find(id); found != by_id.end()) covered_[found->second].counter = total;
  }
  for (const auto& [id, totals] : covered.histograms) {
    const auto found = by_id.find(id);
    if (found == by_id.end() || !store.cells()[found->second].histogram) continue;
    covered_[found->second].histogram = std::make_unique<HistogramSum>(HistogramSum::from(totals));
  }
}

WindowCheckpoint WindowBook::checkpoint(const SnapshotStore& store) const {
  WindowCheckpoint out{begin_, restored_, {}};
  for (std::size_t i = 0; i < store.sources().size(); ++i) {
    if (store.sources()[i].first_origin != 0)
      out.covered.push_back(store.totals(static_cast<SourceIndex>(i)));
  }
  return out;
}

}  // namespace mdpipe::agent
