// Joins the workers' cells by (metric, labels) and fills in what nobody has registered yet.
#include "monitoring/collector.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace godwit::monitoring {

namespace {

// The joined value of one series. Gauges and counters use `value`, histograms the rest.
struct Joined {
  bool seen = false;
  double value = 0;
  std::vector<std::uint64_t> counts;
  double sum = 0;
};

using Family = std::map<LabelValues, Joined>;

void join_histogram(Joined& into, const Cells::Series& series) {
  const std::size_t counts = series.cell_count - 1;
  into.counts.resize(counts);
  for (std::size_t i = 0; i < counts; ++i) {
    into.counts[i] += series.cells[i].load(std::memory_order_relaxed);
  }
  into.sum += std::bit_cast<double>(series.cells[counts].load(std::memory_order_relaxed));
}

void join(Joined& into, const MetricInfo& metric, const Cells::Series& series) {
  if (metric.kind == Kind::kHistogram) {
    join_histogram(into, series);
    return;
  }
  const std::uint64_t raw = series.cells[0].load(std::memory_order_relaxed);
  const double value = metric.kind == Kind::kCounter
                           ? static_cast<double>(raw) * export_scale(metric)
                           : std::bit_cast<double>(raw);
  if (!into.seen) {
    into.value = value;
  } else if (metric.join == Join::kSum) {
    into.value += value;
  } else {
    into.value =
        metric.join == Join::kMax ? std::max(into.value, value) : std::min(into.value, value);
  }
  into.seen = true;
}

// Adds, for every combination of open labels in the family (the empty one when it has none), all
// combinations of its fixed labels: a rate over a series that does not exist yet finds nothing,
// and alerts on it would never fire.
void fill_fixed(const MetricInfo& metric, Family& family) {
  std::set<LabelValues> partial;
  const bool any_open = std::any_of(
      metric.labels.begin(), metric.labels.end(), [](const LabelInfo& l) { return l.open(); });
  if (!any_open) {
    partial.insert(LabelValues(metric.labels.size()));
  }
  for (const auto& [labels, joined] : family) {
    partial.insert(labels);
  }
  for (std::size_t i = 0; i < metric.labels.size(); ++i) {
    std::set<LabelValues> wider;
    for (const LabelValues& labels : partial) {
      if (metric.labels[i].open()) {
        wider.insert(labels);
      }
      for (const std::string_view value : metric.labels[i].values) {
        LabelValues filled = labels;
        filled[i] = std::string(value);
        wider.insert(std::move(filled));
      }
    }
    partial = std::move(wider);
  }
  for (const LabelValues& labels : partial) {
    family[labels];
  }
}

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kGauge:
      return prometheus::MetricType::Gauge;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric sample(const MetricInfo& metric,
                                const std::string& site,
                                const LabelValues& labels,
                                const Joined& joined) {
  prometheus::ClientMetric out;
  out.label.push_back({"site", site});
  for (std::size_t i = 0; i < labels.size(); ++i) {
    out.label.push_back({std::string(metric.labels[i].name), labels[i]});
  }
  if (metric.kind == Kind::kCounter) {
    out.counter.value = joined.value;
  } else if (metric.kind == Kind::kGauge) {
    out.gauge.value = joined.value;
  } else {
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < metric.buckets.size(); ++i) {
      cumulative += i < joined.counts.size() ? joined.counts[i] : 0;
      out.histogram.bucket.push_back({cumulative, metric.buckets[i]});
    }
    // The total comes from the same reads as the buckets, so that it never contradicts them.
    cumulative += joined.counts.empty() ? 0 : joined.counts.back();
    out.histogram.sample_count = cumulative;
    out.histogram.sample_sum = joined.sum;
  }
  return out;
}

class CellsCollectable final : public prometheus::Collectable {
 public:
  CellsCollectable(Identity identity, std::vector<const Cells*> workers)
      : identity_(std::move(identity)), workers_(std::move(workers)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<Family> families(kMetricCount);
    for (const Cells* worker : workers_) {
      worker->visit([&families](const Cells::Series& series) {
        join(families[static_cast<std::size_t>(series.metric)][series.labels],
             info(series.metric),
             series);
      });
    }
    Joined one;
    one.value = 1;
    families[static_cast<std::size_t>(Metric::kBuildInfo)] = {
        {{identity_.version, identity_.revision}, one}};

    std::vector<prometheus::MetricFamily> out;
    out.reserve(kMetricCount);
    for (const MetricInfo& metric : catalog()) {
      Family& family = families[static_cast<std::size_t>(metric.metric)];
      fill_fixed(metric, family);
      prometheus::MetricFamily exported{
          std::string(metric.name), std::string(metric.help), type_of(metric.kind), {}};
      exported.metric.reserve(family.size());
      for (const auto& [labels, joined] : family) {
        exported.metric.push_back(sample(metric, identity_.site, labels, joined));
      }
      out.push_back(std::move(exported));
    }
    return out;
  }

 private:
  Identity identity_;
  std::vector<const Cells*> workers_;
};

}  // namespace

Collector::Collector(Identity identity, std::vector<const Cells*> workers)
    : collectable_(std::make_shared<CellsCollectable>(std::move(identity), std::move(workers))) {}

Collector::~Collector() = default;

std::string Collector::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, collectable_->Collect());
  return out.str();
}

}  // namespace godwit::monitoring
