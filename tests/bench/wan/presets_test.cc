#include "bench/wan/presets.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "bench/wan/quantities.h"

namespace godwit::wan {
namespace {

const Preset& with_shape(PresetShape shape) {
  return *std::find_if(
      presets().begin(), presets().end(), [&](const Preset& p) { return p.shape == shape; });
}

PlanRequest request_for(const Preset& preset, std::size_t sites) {
  PlanRequest request;
  request.preset = preset.name;
  request.preset += preset.shape == PresetShape::kDrawn ? ":7" : "";
  request.sites = sites;
  return request;
}

TEST(Presets, GiveSymmetricLinksWithinTheLimits) {
  for (const Preset& preset : presets()) {
    const auto plan = make_plan(request_for(preset, 5));
    ASSERT_TRUE(plan) << plan.error().message;
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const LinkSettings& link = plan->link(i, j);
        EXPECT_EQ(link, plan->link(j, i));
        EXPECT_GE(link.rate, kRateMin);
        EXPECT_LE(link.rate, kRateMax);
        EXPECT_GT(link.delay, Duration::zero());
        EXPECT_GE(link.queue, default_queue(link.rate, link.delay));
      }
    }
  }
}

TEST(Presets, NameTheirSources) {
  for (const Preset& preset : presets()) {
    EXPECT_FALSE(preset.source.empty()) << preset.name;
  }
}

// What the publication prints about its 55 pairs: least 16.76 Mbit/s, a fifteenth of the LAN of
// 1,005.6 on average, and twelve times the least at most. The table is in whole Mbit/s.
TEST(Presets, TheMatrixHasThePublishedAggregates) {
  const Preset& preset = with_shape(PresetShape::kMatrix);
  const auto plan = make_plan(request_for(preset, 11));
  ASSERT_TRUE(plan);
  double sum = 0;
  double least = 1e9;
  double most = 0;
  for (std::size_t i = 0; i < 11; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double mbit = static_cast<double>(plan->link(i, j).rate.bits_per_second()) / 1e6;
      sum += mbit;
      least = std::min(least, mbit);
      most = std::max(most, mbit);
    }
  }
  EXPECT_NEAR(sum / 55, 1005.6 / 15, 1);
  EXPECT_NEAR(least, 16.76, 0.5);
  EXPECT_NEAR(most, 12 * 16.76, 0.5);
}

TEST(Presets, RegionNamesChooseTheRowsOfTheMatrix) {
  const Preset& preset = with_shape(PresetShape::kMatrix);
  PlanRequest request = request_for(preset, 2);
  request.names = {"MB", "SG"};
  const auto plan = make_plan(request);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->link(0, 1).delay, Duration::ms(30));
  request.names = {"left", "right"};  // stand for the first two regions
  const auto renamed = make_plan(request);
  const auto plain = make_plan(request_for(preset, 2));
  ASSERT_TRUE(renamed && plain);
  EXPECT_EQ(renamed->link(0, 1), plain->link(0, 1));
}

TEST(Presets, DrawnPairsDependOnSeedAndPlaceOnly) {
  PlanRequest request = request_for(with_shape(PresetShape::kDrawn), 3);
  const auto small = make_plan(request);
  request.sites = 6;
  const auto large = make_plan(request);
  request.preset.back() = '8';
  const auto other = make_plan(request);
  ASSERT_TRUE(small && large && other);
  EXPECT_EQ(small->link(0, 2), large->link(0, 2));
  EXPECT_NE(large->link(0, 2), other->link(0, 2));
  EXPECT_NE(large->link(0, 1), large->link(0, 2));
}

TEST(Presets, DrawnPairsFillTheirRanges) {
  PlanRequest request = request_for(with_shape(PresetShape::kDrawn), kSitesMax);
  const auto plan = make_plan(request);
  ASSERT_TRUE(plan);
  const auto [low, high] = std::minmax_element(
      plan->links.begin() + 1,
      plan->links.begin() + kSitesMax,
      [](const LinkSettings& a, const LinkSettings& b) { return a.rate < b.rate; });
  EXPECT_GE(low->rate, BitRate::mbps(5));
  EXPECT_LT(low->rate, BitRate::mbps(10));
  EXPECT_GT(high->rate, BitRate::mbps(250));
  EXPECT_LE(high->rate, BitRate::mbps(500));
  for (auto link = plan->links.begin() + 1; link != plan->links.begin() + kSitesMax; ++link) {
    EXPECT_GE(link->delay * 2, Duration::ms(5));
    EXPECT_LE(link->delay * 2, Duration::ms(400));
    EXPECT_LE(link->loss, 0.01);
  }
}

TEST(Presets, UnlimitedKeepsTheDelaysOnly) {
  PlanRequest request = request_for(with_shape(PresetShape::kDrawn), 3);
  request.uplink.kind = SharedLineRule::Kind::kMax;
  const auto limited = make_plan(request);
  request.unlimited = true;
  const auto unlimited = make_plan(request);
  ASSERT_TRUE(limited && unlimited);
  EXPECT_EQ(unlimited->link(0, 1).delay, limited->link(0, 1).delay);
  EXPECT_TRUE(unlimited->link(0, 1).rate.is_unlimited());
  EXPECT_EQ(unlimited->link(0, 1).loss, 0);
  EXPECT_FALSE(unlimited->uplinks[0]);
  EXPECT_TRUE(limited->uplinks[0]);
}

TEST(Presets, SharedLinesFollowTheirRule) {
  PlanRequest request = request_for(with_shape(PresetShape::kDrawn), 4);
  request.uplink = *parse_shared_line("max");
  request.downlink = *parse_shared_line("sum");
  const auto plan = make_plan(request);
  ASSERT_TRUE(plan);
  std::uint64_t most = 0;
  std::uint64_t sum = 0;
  for (std::size_t other = 1; other < 4; ++other) {
    most = std::max(most, plan->link(0, other).rate.bits_per_second());
    sum += plan->link(other, 0).rate.bits_per_second();
  }
  EXPECT_EQ(plan->uplinks[0]->rate.bits_per_second(), most);
  EXPECT_EQ(plan->downlinks[0]->rate.bits_per_second(), sum);
  request.uplink = *parse_shared_line("3mbit");
  EXPECT_EQ(make_plan(request)->uplinks[2]->rate, BitRate::bps(3'000'000));
}

TEST(Presets, RefusalsNameWhatIsAllowed) {
  PlanRequest request = request_for(with_shape(PresetShape::kMatrix), 12);
  EXPECT_NE(make_plan(request).error().message.find("2 to 11"), std::string::npos);
  request.preset = "nowhere";
  const std::string message = make_plan(request).error().message;
  for (const Preset& preset : presets()) {
    EXPECT_NE(message.find(preset.name), std::string::npos);
  }
  request = request_for(with_shape(PresetShape::kUniform), 2);
  request.names = {"a", "a"};
  EXPECT_EQ(make_plan(request).error().code, Code::kInvalid);
  request.names = {"a", "b/c"};
  EXPECT_EQ(make_plan(request).error().code, Code::kInvalid);
  request = request_for(with_shape(PresetShape::kDrawn), 2);
  request.preset += "x";
  EXPECT_EQ(make_plan(request).error().code, Code::kInvalid);
}

TEST(Quantities, AreReadWithTheirUnits) {
  EXPECT_EQ(*parse_rate("16.76mbit"), BitRate::bps(16'760'000));
  EXPECT_EQ(*parse_rate("1gbit"), BitRate::bps(1'000'000'000));
  EXPECT_TRUE(parse_rate("none")->is_unlimited());
  EXPECT_EQ(*parse_delay("0.25ms"), Duration::us(250));
  EXPECT_EQ(*parse_delay("500us"), Duration::us(500));
  EXPECT_EQ(*parse_delay("1s"), Duration::ms(1000));
  EXPECT_DOUBLE_EQ(*parse_loss("1%"), 0.01);
  EXPECT_DOUBLE_EQ(*parse_loss("0.5"), 0.5);
  EXPECT_EQ(*parse_queue("64KiB"), Bytes(65'536));
}

TEST(Quantities, OutsideOfTheirLimitsAreRefused) {
  for (const char* text : {"", "10", "mbit", "-1mbit", "0mbit", "nanmbit", "1e9gbit", "1 mbit x"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
  for (const char* text : {"", "5", "-1ms", "11s", "infs"}) {
    EXPECT_FALSE(parse_delay(text)) << text;
  }
  for (const char* text : {"", "%", "101%", "-0.1", "nan"}) {
    EXPECT_FALSE(parse_loss(text)) << text;
  }
  for (const char* text : {"", "0", "100", "65MiB", "-1"}) {
    EXPECT_FALSE(parse_queue(text)) << text;
  }
}

}  // namespace
}  // namespace godwit::wan
