// The values of one worker's metrics: written without locks on its data path, read by the scraper.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "monitoring/catalog.h"

namespace godwit::monitoring {

// Handles are small values. A default one writes nowhere, so an engine needs no `if`. Only the
// worker that registered it may write; a write is a plain load, add and store (no lock prefix).

// Counts up. Counters of seconds count whole nanoseconds.
class Counter {
 public:
  Counter() = default;
  void add(std::uint64_t n = 1) const {
    if (cell_ != nullptr) {
      cell_->store(cell_->load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
  }
  // For a total that an engine already keeps. Never less than before.
  void set_total(std::uint64_t total) const {
    if (cell_ != nullptr && total > cell_->load(std::memory_order_relaxed)) {
      cell_->store(total, std::memory_order_relaxed);
    }
  }

 private:
  friend class Cells;
  explicit Counter(std::atomic<std::uint64_t>* cell) : cell_(cell) {}
  std::atomic<std::uint64_t>* cell_ = nullptr;
};

// Goes up and down.
class Gauge {
 public:
  Gauge() = default;
  void set(double value) const {
    if (cell_ != nullptr) {
      cell_->store(std::bit_cast<std::uint64_t>(value), std::memory_order_relaxed);
    }
  }

 private:
  friend class Cells;
  explicit Gauge(std::atomic<std::uint64_t>* cell) : cell_(cell) {}
  std::atomic<std::uint64_t>* cell_ = nullptr;
};

// Counts observations by the catalogue's buckets.
class Histogram {
 public:
  Histogram() = default;
  void observe(double value) const;

 private:
  friend class Cells;
  Histogram(std::atomic<std::uint64_t>* cells, std::span<const double> bounds)
      : cells_(cells), bounds_(bounds) {}
  // One count per bound, one beyond them all, then the sum as the bits of a double.
  std::atomic<std::uint64_t>* cells_ = nullptr;
  std::span<const double> bounds_;
};

using LabelValues = std::vector<std::string>;

// The cells of one worker. Registering allocates and is for set-up (a peer, a topic, a client
// appears); the same metric and labels give the same cell again, and that allocates nothing.
//
// Bounds: label values are cut to kLabelBytesMax and cleaned to printable ASCII; beyond kSeriesMax
// series of a metric, or kSeriesTotalMax in all, the handle writes nowhere and
// `godwit_series_refused_total` counts it. A wrong number of labels, or a value that a fixed label
// does not list, is an assertion; but if the list has `other`, the value becomes that.
//
// Thread: one writer (registers and writes); any number of readers by `visit`, without locks.
// Memory: 8 B per cell in lines of their own, about 200 B per series. Time: O(log n) to register or
// to find.
class Cells {
 public:
  static constexpr std::size_t kLabelBytesMax = 128;
  static constexpr std::size_t kSeriesTotalMax = 16384;

  Cells();
  ~Cells();
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;

  Counter counter(Metric metric, std::initializer_list<std::string_view> labels = {});
  Gauge gauge(Metric metric, std::initializer_list<std::string_view> labels = {});
  Histogram histogram(Metric metric, std::initializer_list<std::string_view> labels = {});

  // What a reader sees of one series.
  struct Series {
    Metric metric = Metric::kCount;
    LabelValues labels;
    const std::atomic<std::uint64_t>* cells = nullptr;
    std::size_t cell_count = 0;
  };
  // Calls `visitor` for every series registered so far; safe while the worker writes.
  void visit(const std::function<void(const Series&)>& visitor) const;
  [[nodiscard]] std::size_t series_count() const { return count_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kChunk = 256;
  // Blocks of whole cache lines, so that no line is shared with another worker.
  struct alignas(64) Block {
    std::array<std::atomic<std::uint64_t>, 512> cells{};
  };
  // Orders (metric, labels), whether the labels are owned or views.
  struct Before {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first
                 ? a.first < b.first
                 : std::lexicographical_compare(
                       a.second.begin(), a.second.end(), b.second.begin(), b.second.end());
    }
  };
  std::atomic<std::uint64_t>* find_or_add(Metric metric,
                                          Kind kind,
                                          std::initializer_list<std::string_view> labels);
  std::atomic<std::uint64_t>* allocate(std::size_t cells);

  // Readers go through chunks_ up to count_; the rest belongs to the writer.
  std::array<std::atomic<Series*>, kSeriesTotalMax / kChunk> chunks_{};
  std::atomic<std::size_t> count_{0};
  std::map<std::pair<Metric, LabelValues>, std::atomic<std::uint64_t>*, Before> index_;
  std::array<std::size_t, kMetricCount> series_of_{};
  std::vector<std::unique_ptr<Block>> blocks_;
  std::atomic<std::uint64_t>* free_ = nullptr;
  std::size_t free_count_ = 0;
  Counter refused_;
};

}  // namespace godwit::monitoring
