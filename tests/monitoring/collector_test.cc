// The exposition: every catalogued family, zero-initialised, and nothing else.
#include "monitoring/collector.h"

#include <gtest/gtest.h>

#include "tests/monitoring/exposition.h"

namespace godwit::monitoring {
namespace {

const Identity kIdentity{.site = "fra", .version = "1.2.3", .revision = "abc"};

TEST(Collector, ExportsEveryFamilyWithHelpAndType) {
  const Cells cells;
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  EXPECT_TRUE(seen.bad_lines.empty());
  EXPECT_EQ(seen.type.size(), kMetricCount);
  for (const MetricInfo& metric : catalog()) {
    const std::string name(metric.name);
    ASSERT_TRUE(seen.help.contains(name)) << name;
    EXPECT_EQ(seen.help.at(name), metric.help);
    const std::string type = metric.kind == Kind::kCounter ? "counter"
                             : metric.kind == Kind::kGauge ? "gauge"
                                                           : "histogram";
    EXPECT_EQ(seen.type.at(name), type) << name;
  }
}

TEST(Collector, ExportsNothingThatIsNotCatalogued) {
  Cells cells;
  cells.counter(Metric::kLinkSentBytes, {"ore"}).add();
  cells.histogram(Metric::kLinkRttSeconds, {"ore"}).observe(0.1);
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  std::map<std::string_view, const MetricInfo*> known;
  for (const MetricInfo& metric : catalog()) {
    known[metric.name] = &metric;
  }
  for (const auto& [sample, value] : seen.samples) {
    EXPECT_TRUE(known.contains(seen.family(sample))) << sample;
    EXPECT_NE(sample.find("site=\"fra\""), std::string::npos) << sample;
  }
}

TEST(Collector, ExportsZerosForEveryCombinationOfFixedLabels) {
  const Cells cells;
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  for (const MetricInfo& metric : catalog()) {
    std::size_t expected = 1;
    for (const LabelInfo& label : metric.labels) {
      expected *= label.values.size();  // 0 for an open label: nobody has registered one.
    }
    if (metric.metric == Metric::kBuildInfo) {
      expected = 1;
    }
    if (metric.kind == Kind::kHistogram) {
      expected *= metric.buckets.size() + 3;  // The bucket +Inf, the sum and the count.
    }
    EXPECT_EQ(seen.samples_of(std::string(metric.name)), expected) << metric.name;
  }
  EXPECT_EQ(
      seen.samples.at("godwit_codec_tiles_total{site=\"fra\",operation=\"encode\",codec=\"bpc\"}"),
      0);
}

TEST(Collector, FillsTheFixedLabelsOfAPeerThatWasSeenOnce) {
  Cells cells;
  cells.counter(Metric::kQueueDecisions, {"ore", "age"}).add(3);
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  EXPECT_EQ(seen.samples_of("godwit_queue_decisions_total"), 4U);
  EXPECT_EQ(
      seen.samples.at("godwit_queue_decisions_total{site=\"fra\",peer=\"ore\",reason=\"age\"}"), 3);
  EXPECT_EQ(seen.samples.at(
                "godwit_queue_decisions_total{site=\"fra\",peer=\"ore\",reason=\"deadline\"}"),
            0);
}

TEST(Collector, JoinsWorkersAsTheCatalogueSays) {
  Cells first;
  Cells second;
  first.counter(Metric::kLinkSentBytes, {"ore"}).add(10);
  second.counter(Metric::kLinkSentBytes, {"ore"}).add(5);
  first.gauge(Metric::kLinkUp, {"ore"}).set(0);
  second.gauge(Metric::kLinkUp, {"ore"}).set(1);
  first.gauge(Metric::kTopicClock, {"t", "ore"}).set(3);
  second.gauge(Metric::kTopicClock, {"t", "ore"}).set(7);
  first.gauge(Metric::kCertificateExpirySeconds).set(2e9);
  second.gauge(Metric::kCertificateExpirySeconds).set(1e9);
  first.histogram(Metric::kLinkRttSeconds, {"ore"}).observe(0.3);
  second.histogram(Metric::kLinkRttSeconds, {"ore"}).observe(0.3);
  const Exposition seen = read_exposition(Collector(kIdentity, {&first, &second}).text());
  EXPECT_EQ(seen.samples.at("godwit_link_sent_bytes_total{site=\"fra\",peer=\"ore\"}"), 15);
  EXPECT_EQ(seen.samples.at("godwit_link_up{site=\"fra\",peer=\"ore\"}"), 0);
  EXPECT_EQ(seen.samples.at("godwit_topic_clock{site=\"fra\",topic=\"t\",origin=\"ore\"}"), 3);
  EXPECT_EQ(seen.samples.at("godwit_certificate_expiry_timestamp_seconds{site=\"fra\"}"), 1e9);
  EXPECT_EQ(seen.samples.at("godwit_link_rtt_seconds_count{site=\"fra\",peer=\"ore\"}"), 2);
  EXPECT_DOUBLE_EQ(seen.samples.at("godwit_link_rtt_seconds_sum{site=\"fra\",peer=\"ore\"}"), 0.6);
  EXPECT_EQ(seen.samples.at("godwit_link_rtt_seconds_bucket{site=\"fra\",peer=\"ore\",le=\"0.2\"}"),
            0);
  EXPECT_EQ(seen.samples.at("godwit_link_rtt_seconds_bucket{site=\"fra\",peer=\"ore\",le=\"0.3\"}"),
            2);
}

TEST(Collector, ExportsNanosecondsOfCountersAsSeconds) {
  Cells cells;
  cells.counter(Metric::kCodecSeconds, {"encode", "bpc"}).add(1'500'000'000);
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  EXPECT_DOUBLE_EQ(seen.samples.at("godwit_codec_seconds_total{site=\"fra\",operation=\"encode\","
                                   "codec=\"bpc\"}"),
                   1.5);
}

TEST(Collector, NamesTheBuild) {
  const Cells cells;
  const Exposition seen = read_exposition(Collector(kIdentity, {&cells}).text());
  EXPECT_EQ(seen.samples.at("godwit_build_info{site=\"fra\",version=\"1.2.3\",revision=\"abc\"}"),
            1);
}

TEST(Collector, EscapesWhatATopicIsCalled) {
  Cells cells;
  cells.counter(Metric::kTopicPublishes, {"a\"b\\c"}).add();
  const std::string text = Collector(kIdentity, {&cells}).text();
  EXPECT_NE(text.find(R"(topic="a\"b\\c"} 1)"), std::string::npos);
}

}  // namespace
}  // namespace godwit::monitoring
