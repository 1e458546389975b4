#include "dataplane/ledger/kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dataplane/ledger/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::ledger::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

std::uint64_t magnitude_of(std::int64_t x) {
  const auto bits = static_cast<std::uint64_t>(x);
  return x < 0 ? 0 - bits : bits;
}

BlockStatistics statistics(const std::int64_t* HWY_RESTRICT values, std::size_t count) {
  const hn::ScalableTag<std::int64_t> signed_tag;
  const hn::ScalableTag<std::uint64_t> tag;
  const hn::ScalableTag<double> real_tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto low_mask = hn::Set(tag, 0xFFFFFFFFU);
  // Halves of magnitudes are added as integers: exact, and no overflow below 2^32 values.
  auto low = hn::Zero(tag);
  auto high = hn::Zero(tag);
  auto max = hn::Zero(tag);
  auto energy = hn::Zero(real_tag);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::LoadU(signed_tag, values + i);
    const auto size = hn::BitCast(tag, hn::Abs(x));
    low = hn::Add(low, hn::And(size, low_mask));
    high = hn::Add(high, hn::ShiftRight<32>(size));
    max = hn::Max(max, size);
    const auto real = hn::ConvertTo(real_tag, x);
    energy = hn::MulAdd(real, real, energy);
  }
  std::uint64_t low_sum = hn::GetLane(hn::SumOfLanes(tag, low));
  std::uint64_t high_sum = hn::GetLane(hn::SumOfLanes(tag, high));
  std::uint64_t largest = hn::GetLane(hn::MaxOfLanes(tag, max));
  double energy_sum = hn::GetLane(hn::SumOfLanes(real_tag, energy));
  for (; i < count; ++i) {
    const std::uint64_t size = magnitude_of(values[i]);
    low_sum += size & 0xFFFFFFFFU;
    high_sum += size >> 32U;
    largest = std::max(largest, size);
    const auto real = static_cast<double>(values[i]);
    energy_sum += real * real;
  }
  return {.energy = energy_sum,
          .mass = (static_cast<double>(high_sum) * 0x1.0p32) + static_cast<double>(low_sum),
          .max = largest};
}

// A value is taken as unsigned, x + 2^64·[x < 0]; what that adds is taken off the high part.
// Products of 32-bit halves are split once more, so that 4,096 of them cannot overflow a lane.
WeightedSum weighted(const std::int64_t* HWY_RESTRICT values,
                     const std::uint32_t* HWY_RESTRICT weights,
                     std::size_t count) {
  WeightedSum sum;
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR  // which has no halves of a lane
  const hn::ScalableTag<std::int64_t> signed_tag;
  const hn::ScalableTag<std::uint64_t> tag;
  const hn::Repartition<std::uint32_t, decltype(tag)> half_tag;
  const hn::Rebind<std::uint32_t, decltype(tag)> weight_tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto mask = hn::Set(tag, 0xFFFFFFFFU);
  auto low = hn::Zero(tag);
  auto middle = hn::Zero(tag);
  auto high = hn::Zero(tag);
  auto negative = hn::Zero(tag);
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::LoadU(signed_tag, values + i);
    const auto bits = hn::BitCast(tag, x);
    const auto weight = hn::PromoteTo(tag, hn::LoadU(weight_tag, weights + i));
    const auto weight_halves = hn::BitCast(half_tag, weight);
    const auto lower = hn::MulEven(hn::BitCast(half_tag, bits), weight_halves);
    const auto upper = hn::MulEven(hn::BitCast(half_tag, hn::ShiftRight<32>(bits)), weight_halves);
    low = hn::Add(low, hn::And(lower, mask));
    middle = hn::Add(middle, hn::Add(hn::ShiftRight<32>(lower), hn::And(upper, mask)));
    high = hn::Add(high, hn::ShiftRight<32>(upper));
    const auto is_negative = hn::BitCast(tag, hn::BroadcastSignBit(x));
    negative = hn::Add(negative, hn::And(is_negative, weight));
  }
  sum = {.low = hn::GetLane(hn::SumOfLanes(tag, low)),
         .middle = hn::GetLane(hn::SumOfLanes(tag, middle)),
         .high = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(tag, high))) -
                 static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(tag, negative)))};
#endif
  for (; i < count; ++i) {
    const auto bits = static_cast<std::uint64_t>(values[i]);
    const std::uint64_t lower = (bits & 0xFFFFFFFFU) * weights[i];
    const std::uint64_t upper = (bits >> 32U) * weights[i];
    sum.low += lower & 0xFFFFFFFFU;
    sum.middle += (lower >> 32U) + (upper & 0xFFFFFFFFU);
    sum.high += static_cast<std::int64_t>(upper >> 32U) -
                (values[i] < 0 ? static_cast<std::int64_t>(weights[i]) : 0);
  }
  return sum;
}

}  // namespace godwit::ledger::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace godwit::ledger {

HWY_EXPORT(statistics);
HWY_EXPORT(weighted);

BlockStatistics block_statistics(std::span<const std::int64_t> values) {
  return HWY_DYNAMIC_DISPATCH(statistics)(values.data(), values.size());
}

WeightedSum weighted_sum(std::span<const std::int64_t> values, const std::uint32_t* weights) {
  return HWY_DYNAMIC_DISPATCH(weighted)(values.data(), weights, values.size());
}

}  // namespace godwit::ledger

#endif  // HWY_ONCE
