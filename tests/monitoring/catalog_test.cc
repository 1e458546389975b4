// The catalogue keeps the naming rules that dashboards and people rely on.
#include "monitoring/catalog.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace godwit::monitoring {
namespace {

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

// The words of a value may be joined as the formats' names are.
bool is_value(std::string_view value) {
  std::string joined(value);
  std::replace(joined.begin(), joined.end(), '-', '_');
  return is_name(joined);
}

TEST(Catalog, HasEveryMetricOnceWithThePrefix) {
  std::set<std::string_view> names;
  for (const MetricInfo& metric : catalog()) {
    EXPECT_TRUE(metric.name.starts_with("godwit_")) << metric.name;
    EXPECT_TRUE(is_name(metric.name)) << metric.name;
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_EQ(&info(metric.metric), &metric);
  }
  EXPECT_EQ(names.size(), kMetricCount);
}

TEST(Catalog, NamesSayKindAndUnit) {
  for (const MetricInfo& metric : catalog()) {
    std::string_view name = metric.name;
    EXPECT_EQ(name.ends_with("_total"), metric.kind == Kind::kCounter) << name;
    if (name.ends_with("_total")) {
      name.remove_suffix(std::string_view("_total").size());
    }
    EXPECT_EQ(name.ends_with("_bytes"), metric.unit == Unit::kBytes) << name;
    EXPECT_EQ(name.ends_with("_timestamp_seconds"), metric.unit == Unit::kTimestampSeconds) << name;
    EXPECT_EQ(name.ends_with("_bytes_per_second"), metric.unit == Unit::kBytesPerSecond) << name;
    EXPECT_EQ(name.ends_with("_seconds") && metric.unit != Unit::kTimestampSeconds,
              metric.unit == Unit::kSeconds)
        << name;
  }
}

TEST(Catalog, HelpIsASentenceForAPerson) {
  for (const MetricInfo& metric : catalog()) {
    EXPECT_GE(metric.help.size(), 20U) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
    EXPECT_TRUE(std::isupper(static_cast<unsigned char>(metric.help.front())) != 0 ||
                std::isdigit(static_cast<unsigned char>(metric.help.front())) != 0)
        << metric.name;
    EXPECT_EQ(metric.help.find("  "), std::string_view::npos) << metric.name;
  }
}

TEST(Catalog, LabelsAreNamedAndBounded) {
  for (const MetricInfo& metric : catalog()) {
    std::set<std::string_view> names = {"site", "le"};
    EXPECT_LE(metric.labels.size(), kLabelsMax);
    for (const LabelInfo& label : metric.labels) {
      EXPECT_TRUE(is_name(label.name)) << metric.name;
      EXPECT_TRUE(names.insert(label.name).second) << metric.name << " " << label.name;
      std::set<std::string_view> values(label.values.begin(), label.values.end());
      EXPECT_EQ(values.size(), label.values.size()) << metric.name;
      EXPECT_TRUE(std::all_of(values.begin(), values.end(), is_value)) << metric.name;
    }
    // What would grow with use: never a label.
    for (const std::string_view never : {"key", "tile", "client", "flow", "update", "lane"}) {
      EXPECT_FALSE(names.contains(never)) << metric.name;
    }
  }
}

TEST(Catalog, OnlyHistogramsHaveBucketsAndTheyRise) {
  for (const MetricInfo& metric : catalog()) {
    EXPECT_EQ(metric.buckets.empty(), metric.kind != Kind::kHistogram) << metric.name;
    EXPECT_TRUE(std::is_sorted(metric.buckets.begin(), metric.buckets.end())) << metric.name;
  }
}

}  // namespace
}  // namespace godwit::monitoring
