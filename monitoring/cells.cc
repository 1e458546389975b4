// Registration, and the append-only list that readers walk without locks.
#include "monitoring/cells.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::monitoring {

namespace {

std::size_t cells_needed(const MetricInfo& metric) {
  return metric.kind == Kind::kHistogram ? metric.buckets.size() + 2 : 1;
}

// Where labels are made ready without the heap: a cell that is there is looked up in every turn.
struct LabelRoom {
  std::array<std::array<char, Cells::kLabelBytesMax>, kLabelsMax> bytes{};
  std::array<std::string_view, kLabelsMax> values;
};

// What an open label may hold: it is shown in dashboards, logs and terminals.
std::string_view clean(std::string_view value, std::span<char, Cells::kLabelBytesMax> room) {
  value = value.substr(0, room.size());
  std::replace_copy_if(
      value.begin(), value.end(), room.begin(), [](char c) { return c < ' ' || c > '~'; }, '_');
  return {room.data(), value.size()};
}

// The value a fixed label exports for `value`.
std::string_view listed(const LabelInfo& label, std::string_view value) {
  const auto has = [&label](std::string_view wanted) {
    return std::find(label.values.begin(), label.values.end(), wanted) != label.values.end();
  };
  if (has(value)) {
    return value;
  }
  GODWIT_ASSERT(has("other"), "a fixed label has only the values of the catalogue");
  return "other";
}

// As they are exported; valid as long as `room` and `labels`.
std::span<const std::string_view> checked(const MetricInfo& metric,
                                          std::initializer_list<std::string_view> labels,
                                          LabelRoom& room) {
  GODWIT_ASSERT(labels.size() == metric.labels.size(), "a value for every label");
  std::size_t count = 0;
  for (const std::string_view value : labels) {
    const LabelInfo& label = metric.labels[count];
    room.values.at(count) =
        label.open() ? clean(value, room.bytes.at(count)) : listed(label, value);
    ++count;
  }
  return std::span(room.values).first(count);
}

void bump(std::atomic<std::uint64_t>& cell) {
  cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

void Histogram::observe(double value) const {
  if (cells_ == nullptr) {
    return;
  }
  std::size_t bucket = 0;
  while (bucket < bounds_.size() && value > bounds_[bucket]) {
    ++bucket;
  }
  bump(cells_[bucket]);
  std::atomic<std::uint64_t>& sum = cells_[bounds_.size() + 1];
  const auto before = std::bit_cast<double>(sum.load(std::memory_order_relaxed));
  sum.store(std::bit_cast<std::uint64_t>(before + value), std::memory_order_relaxed);
}

Cells::Cells() {
  refused_ = counter(Metric::kSeriesRefused);
}

Cells::~Cells() {
  for (const auto& chunk : chunks_) {
    delete[] chunk.load(std::memory_order_relaxed);
  }
}

Counter Cells::counter(Metric metric, std::initializer_list<std::string_view> labels) {
  return Counter(find_or_add(metric, Kind::kCounter, labels));
}

Gauge Cells::gauge(Metric metric, std::initializer_list<std::string_view> labels) {
  return Gauge(find_or_add(metric, Kind::kGauge, labels));
}

Histogram Cells::histogram(Metric metric, std::initializer_list<std::string_view> labels) {
  return {find_or_add(metric, Kind::kHistogram, labels), info(metric).buckets};
}

std::atomic<std::uint64_t>* Cells::find_or_add(Metric metric,
                                               Kind kind,
                                               std::initializer_list<std::string_view> labels) {
  const MetricInfo& known = info(metric);
  GODWIT_ASSERT(known.kind == kind, "the catalogue says what kind a metric is");
  LabelRoom room;
  const auto values = checked(known, labels, room);
  const auto found = index_.find(std::pair(metric, values));
  if (found != index_.end()) {
    return found->second;
  }
  const std::size_t number = count_.load(std::memory_order_relaxed);
  std::size_t& of_metric = series_of_[static_cast<std::size_t>(metric)];
  if (of_metric == kSeriesMax || number == kSeriesTotalMax) {
    refused_.add();
    return nullptr;
  }
  ++of_metric;
  std::atomic<std::uint64_t>* cells = allocate(cells_needed(known));
  std::atomic<Series*>& chunk = chunks_[number / kChunk];
  if (number % kChunk == 0) {
    chunk.store(new Series[kChunk], std::memory_order_relaxed);
  }
  const LabelValues owned(values.begin(), values.end());
  chunk.load(std::memory_order_relaxed)[number % kChunk] = {
      metric, owned, cells, cells_needed(known)};
  index_.emplace(std::pair(metric, owned), cells);
  // Readers acquire the count, so they see a whole series or none.
  count_.store(number + 1, std::memory_order_release);
  return cells;
}

std::atomic<std::uint64_t>* Cells::allocate(std::size_t cells) {
  if (free_count_ < cells) {
    blocks_.push_back(std::make_unique<Block>());
    free_ = blocks_.back()->cells.data();
    free_count_ = blocks_.back()->cells.size();
    GODWIT_ASSERT(cells <= free_count_);
  }
  std::atomic<std::uint64_t>* taken = free_;
  free_ += cells;
  free_count_ -= cells;
  return taken;
}

void Cells::visit(const std::function<void(const Series&)>& visitor) const {
  const std::size_t count = series_count();
  for (std::size_t number = 0; number < count; ++number) {
    visitor(chunks_[number / kChunk].load(std::memory_order_relaxed)[number % kChunk]);
  }
}

}  // namespace godwit::monitoring
