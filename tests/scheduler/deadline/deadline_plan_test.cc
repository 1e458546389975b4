// Plans by example.
#include "scheduler/deadline/deadline_plan.h"

#include <array>
#include <limits>

#include <gtest/gtest.h>

#include "tests/scheduler/deadline/line.h"
#include "tests/support/allocation_guard.h"

namespace godwit::scheduler {
namespace {

using testing::at_us;
using testing::kRate;
using testing::kStart;

TEST(DeadlinePlan, TakesLayersByWorthAsFarAsEveryDeadlineAllows) {
  DeadlinePlan plan(4);
  const std::array first = {Layer{Bytes(400), 4'000}, Layer{Bytes(600), 600}};
  const std::array second = {Layer{Bytes(500), 2'500}, Layer{Bytes(500), 1'000}};
  const auto a = plan.add(at_us(1'000), 1, first).value();
  const auto b = plan.add(at_us(1'500), 1, second).value();
  plan.plan(kStart, kRate, Bytes(0));
  // Worth of a byte: 10 and 1, 5 and 2. 1,500 bytes by the second deadline, 1,000 by the first.
  EXPECT_EQ(plan.granted(a), Bytes(500));
  EXPECT_EQ(plan.granted(b), Bytes(1'000));
  EXPECT_EQ(plan.next(kStart)->id, a);
  // 700 bytes go before all of this: the worth of a byte decides, not who is due first.
  plan.plan(kStart, kRate, Bytes(700));
  EXPECT_EQ(plan.granted(a), Bytes(300));
  EXPECT_EQ(plan.granted(b), Bytes(500));
}

TEST(DeadlinePlan, AWeightCountsLikeAWorth) {
  DeadlinePlan plan(2);
  const std::array layer = {Layer{Bytes(1'000), 1'000}};
  const auto a = plan.add(at_us(1'000), 1, layer).value();
  const auto b = plan.add(at_us(1'000), 2, layer).value();
  plan.plan(kStart, kRate, Bytes(0));
  EXPECT_EQ(plan.granted(a), Bytes(0));
  EXPECT_EQ(plan.granted(b), Bytes(1'000));
}

TEST(DeadlinePlan, LayersThatAreWorthMoreThanThoseBeforeThemCountAsOne) {
  DeadlinePlan plan(2);
  const std::array rising = {Layer{Bytes(500), 500},
                             Layer{Bytes(500), 4'500}};  // together 5 a byte
  const std::array flat = {Layer{Bytes(1'000), 3'000}};
  const auto a = plan.add(at_us(1'000), 1, rising).value();
  const auto b = plan.add(at_us(1'000), 1, flat).value();
  plan.plan(kStart, kRate, Bytes(0));
  EXPECT_EQ(plan.granted(a), Bytes(1'000));
  EXPECT_EQ(plan.granted(b), Bytes(0));
}

TEST(DeadlinePlan, AValueThatIsNoneCountsAsNothing) {
  DeadlinePlan plan(4);
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::array odd = {Layer{Bytes(600), kNan}, Layer{Bytes(0), 5}, Layer{Bytes(600), -3}};
  const std::array even = {Layer{Bytes(600), 1}};
  const auto a = plan.add(at_us(1'000), 1, odd).value();
  const auto b = plan.add(at_us(1'000), 1, even).value();
  plan.add(at_us(1'000), kNan, even);
  plan.plan(kStart, kRate, Bytes(0));
  EXPECT_EQ(plan.granted(b), Bytes(600));
  EXPECT_EQ(plan.granted(a), Bytes(400));
}

TEST(DeadlinePlan, IsDueAfterAChangeAndNowAndThen) {
  DeadlinePlan plan(2);
  const std::array layer = {Layer{Bytes(10), 1}};
  EXPECT_TRUE(plan.is_due(kStart, kRate));
  plan.plan(kStart, kRate, Bytes(0));
  EXPECT_FALSE(plan.is_due(at_us(49'999), kRate));
  EXPECT_TRUE(plan.is_due(at_us(50'000), kRate));
  EXPECT_FALSE(plan.is_due(kStart, BitRate::mbps(8.4)));
  EXPECT_TRUE(plan.is_due(kStart, BitRate::mbps(8.5)));
  EXPECT_TRUE(plan.is_due(kStart, BitRate::mbps(7.5)));
  const auto id = plan.add(at_us(100), 1, layer).value();
  EXPECT_TRUE(plan.is_due(kStart, kRate));
  plan.plan(kStart, kRate, Bytes(0));
  plan.remove(id);
  EXPECT_TRUE(plan.is_due(kStart, kRate));
}

TEST(DeadlinePlan, NothingIsGrantedBehindADeadline) {
  DeadlinePlan plan(2);
  const std::array layer = {Layer{Bytes(10), 1}};
  const auto id = plan.add(at_us(100), 1, layer).value();
  plan.plan(kStart, kRate, Bytes(0));
  EXPECT_TRUE(plan.next(at_us(99)));
  EXPECT_FALSE(plan.next(at_us(100)));
  plan.plan(at_us(100), kRate, Bytes(0));
  EXPECT_EQ(plan.granted(id), Bytes(0));
  plan.plan(kStart, BitRate(), Bytes(0));
  EXPECT_EQ(plan.granted(id), Bytes(0));
  plan.plan(kStart, BitRate::unlimited(), Bytes(0));
  EXPECT_EQ(plan.granted(id), Bytes(10));
}

TEST(DeadlinePlan, AllocatesNothingAndHasNoMorePlacesThanItWasMadeWith) {
  DeadlinePlan plan(50);
  std::array<Layer, DeadlinePlan::kLayersMax + 3> layers;
  layers.fill({Bytes(100), 1});
  const testing_support::AllocationGuard guard;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(plan.add(at_us(1'000 * (1 + i * 7 % 50)), 1, layers));
  }
  EXPECT_FALSE(plan.add(at_us(1), 1, layers));
  plan.plan(kStart, kRate, Bytes(0));
  while (const auto grant = plan.next(kStart)) {
    plan.on_sent(grant->id, grant->bytes);
    plan.remove(grant->id);
  }
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace godwit::scheduler
