// Cells: handles, bounds, and reading while another thread writes.
#include "monitoring/cells.h"

#include <map>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace godwit::monitoring {
namespace {

// The first cell of every series, by metric and first label.
std::map<std::pair<Metric, std::string>, std::uint64_t> values(const Cells& cells) {
  std::map<std::pair<Metric, std::string>, std::uint64_t> out;
  cells.visit([&out](const Cells::Series& series) {
    out[{series.metric, series.labels.empty() ? "" : series.labels[0]}] = series.cells[0].load();
  });
  return out;
}

TEST(Cells, GiveTheSameCellForTheSameLabels) {
  Cells cells;
  const Counter first = cells.counter(Metric::kLinkSentBytes, {"fra"});
  const Counter again = cells.counter(Metric::kLinkSentBytes, {"fra"});
  const Counter other = cells.counter(Metric::kLinkSentBytes, {"ore"});
  first.add(5);
  again.add(2);
  other.add();
  const auto seen = values(cells);
  EXPECT_EQ(seen.at({Metric::kLinkSentBytes, "fra"}), 7U);
  EXPECT_EQ(seen.at({Metric::kLinkSentBytes, "ore"}), 1U);
}

TEST(Cells, GiveTheSameCellForLabelsThatAreTheSameOnceCleaned) {
  Cells cells;
  const std::string longest(Cells::kLabelBytesMax, 'x');
  cells.counter(Metric::kTopicPublishes, {longest + "\n"}).add(5);
  cells.counter(Metric::kTopicPublishes, {longest + "and more"}).add(2);
  cells.counter(Metric::kTopicPublishes, {"a\nb"}).add(3);
  cells.counter(Metric::kTopicPublishes, {"a_b"}).add(4);
  const auto seen = values(cells);
  EXPECT_EQ(seen.at({Metric::kTopicPublishes, longest}), 7U);
  EXPECT_EQ(seen.at({Metric::kTopicPublishes, "a_b"}), 7U);
}

TEST(Cells, ADefaultHandleWritesNowhere) {
  Counter().add(3);
  Gauge().set(1);
  Histogram().observe(1);
  Cells cells;
  EXPECT_EQ(cells.series_count(), 1U) << "only the count of refused series";
}

TEST(Cells, TotalsOfEnginesNeverGoBack) {
  Cells cells;
  const Counter counter = cells.counter(Metric::kTopicPublishes, {"t"});
  counter.set_total(10);
  counter.set_total(4);
  EXPECT_EQ(values(cells).at({Metric::kTopicPublishes, "t"}), 10U);
}

TEST(Cells, CountAnObservationInItsBucket) {
  Cells cells;
  const Histogram rtt = cells.histogram(Metric::kLinkRttSeconds, {"fra"});
  rtt.observe(0.0005);  // On a bound: it belongs to that bucket.
  rtt.observe(0.05);
  rtt.observe(99);
  const std::span<const double> bounds = info(Metric::kLinkRttSeconds).buckets;
  cells.visit([bounds](const Cells::Series& series) {
    if (series.metric != Metric::kLinkRttSeconds) {
      return;
    }
    ASSERT_EQ(series.cell_count, bounds.size() + 2);
    std::size_t of_50_ms = 0;
    while (bounds[of_50_ms] < 0.05) {
      ++of_50_ms;
    }
    EXPECT_EQ(series.cells[0].load(), 1U);
    EXPECT_EQ(series.cells[of_50_ms].load(), 1U);
    EXPECT_EQ(series.cells[bounds.size()].load(), 1U);
    EXPECT_DOUBLE_EQ(std::bit_cast<double>(series.cells[bounds.size() + 1].load()), 99.0505);
  });
}

TEST(Cells, BoundTheNumberOfSeriesOfAMetric) {
  Cells cells;
  for (std::size_t i = 0; i < kSeriesMax + 10; ++i) {
    cells.counter(Metric::kTopicPublishes, {"topic-" + std::to_string(i)}).add();
  }
  cells.counter(Metric::kLinkSentBytes, {"fra"}).add();
  EXPECT_EQ(cells.series_count(), 1 + kSeriesMax + 1);
  EXPECT_EQ(values(cells).at({Metric::kSeriesRefused, ""}), 10U);
}

TEST(Cells, CleanAndCutOpenLabels) {
  Cells cells;
  cells.counter(Metric::kTopicPublishes, {"a\nb\"\xff" + std::string(500, 'x')}).add();
  bool seen = false;
  cells.visit([&seen](const Cells::Series& series) {
    if (series.metric == Metric::kTopicPublishes) {
      seen = true;
      EXPECT_EQ(series.labels[0].size(), Cells::kLabelBytesMax);
      EXPECT_EQ(series.labels[0].substr(0, 5), "a_b\"_");
    }
  });
  EXPECT_TRUE(seen);
}

TEST(Cells, PutUnlistedReasonsUnderOther) {
  Cells cells;
  cells.counter(Metric::kLinkClosed, {"fra", "a_reason_of_a_later_version"}).add();
  cells.visit([](const Cells::Series& series) {
    if (series.metric == Metric::kLinkClosed) {
      EXPECT_EQ(series.labels, (LabelValues{"fra", "other"}));
    }
  });
}

TEST(CellsDeathTest, RefuseWhatTheCatalogueDoesNotSay) {
  Cells cells;
  EXPECT_DEATH(cells.gauge(Metric::kLinkSentBytes, {"fra"}), "kind");
  EXPECT_DEATH(cells.counter(Metric::kLinkSentBytes), "every label");
  EXPECT_DEATH(cells.counter(Metric::kQueueDecisions, {"fra", "whim"}), "catalogue");
}

TEST(Cells, MayBeReadWhileTheWorkerWritesAndRegisters) {
  Cells cells;
  std::atomic<bool> stop{false};
  std::atomic<int> passes{0};
  std::thread reader([&] {
    std::size_t before = 0;
    while (!stop.load()) {
      std::size_t series = 0;
      std::uint64_t sum = 0;
      cells.visit([&](const Cells::Series& seen) {
        ++series;
        sum += seen.cells[0].load(std::memory_order_relaxed);
      });
      ASSERT_GE(series, before);
      ASSERT_LE(sum, 2'000'000U);
      before = series;
      passes.fetch_add(1);
    }
  });
  while (passes.load() == 0) {
    std::this_thread::yield();
  }
  for (int i = 0; i < 2'000; ++i) {
    const Counter counter = cells.counter(Metric::kTopicPublishes, {std::to_string(i)});
    for (int j = 0; j < 100; ++j) {
      counter.add();
    }
    const int seen = passes.load();
    while (i % 200 == 0 && passes.load() == seen) {
      std::this_thread::yield();  // The reader passes between registrations, too.
    }
  }
  stop.store(true);
  reader.join();
  EXPECT_EQ(cells.series_count(), 2'001U);
}

}  // namespace
}  // namespace godwit::monitoring
