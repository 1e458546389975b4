#include "codec/significance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/significance.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "dataplane/base/assert.h"

#ifndef GODWIT_CODEC_SIGNIFICANCE_ONCE
#define GODWIT_CODEC_SIGNIFICANCE_ONCE
namespace godwit::codec {

// The same for all targets: what is left behind the last whole vector.
inline void scan_one(float value, float reference, float threshold, Scan& into) {
  const float size = std::fabs(value);
  const float bound = threshold * std::fabs(reference);
  into.energy += static_cast<double>(value) * static_cast<double>(value);
  into.max = std::max(into.max, size);
  into.significant += size > 0 && !(size < bound && std::isfinite(bound)) ? 1U : 0U;
}

inline std::int64_t keep_one(std::int64_t open, double value, double threshold, Filtered& into) {
  const double bound = threshold * std::fabs(value);
  if (std::fabs(static_cast<double>(open)) < bound && std::isfinite(bound)) {
    into.held_max = std::max(into.held_max, static_cast<std::uint64_t>(std::llabs(open)));
    return 0;
  }
  into.kept += open != 0 ? 1U : 0U;
  return open;
}

}  // namespace godwit::codec
#endif

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Signed = hn::ScalableTag<std::int64_t>;
using Unsigned = hn::ScalableTag<std::uint64_t>;
using Real = hn::ScalableTag<double>;
using Single = hn::Rebind<float, Real>;

// Whole vectors; stops before one that holds a value beyond the range. Returns how many it did.
// Singles are taken as doubles: energies of a million squares need them, and a product of two is
// exact, so that the comparison is the scalar one.
template <bool kReference>
HWY_ATTR std::size_t scan_vectors(const float* values,
                                  const float* reference,
                                  std::size_t count,
                                  float threshold,
                                  float range,
                                  Scan& into) {
  const Real df;
  const Single dn;
  const std::size_t lanes = hn::Lanes(df);
  const auto most = hn::Set(dn, range);
  const auto factor = hn::Set(dn, threshold);
  const auto finite = hn::Set(dn, std::numeric_limits<float>::max());
  auto sum0 = hn::Zero(df);
  auto sum1 = hn::Zero(df);
  auto max = hn::Zero(dn);
  std::size_t significant = 0;
  std::size_t i = 0;
  const auto look = [&](std::size_t at, auto& sum) HWY_ATTR {
    const auto value = hn::LoadU(dn, values + at);
    const auto size = hn::Abs(value);
    auto counts = hn::Gt(size, hn::Zero(dn));
    if constexpr (kReference) {
      const auto bound = hn::Mul(factor, hn::Abs(hn::LoadU(dn, reference + at)));
      const auto held = hn::And(hn::Lt(size, bound), hn::Le(bound, finite));
      counts = hn::AndNot(held, counts);
    }
    significant += hn::CountTrue(dn, counts);
    max = hn::Max(max, size);
    const auto wide = hn::PromoteTo(df, value);
    sum = hn::MulAdd(wide, wide, sum);
    return hn::AllTrue(dn, hn::Le(size, most));  // false for NaN
  };
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const bool first = look(i, sum0);
    if (!look(i + lanes, sum1) || !first) {
      break;
    }
  }
  into.energy = hn::GetLane(hn::SumOfLanes(df, hn::Add(sum0, sum1)));
  into.max = hn::GetLane(hn::MaxOfLanes(dn, max));
  into.significant = significant;
  return i;
}

HWY_ATTR std::size_t scan(const float* values,
                          const float* reference,
                          std::size_t count,
                          float threshold,
                          float range,
                          Scan& into) {
  return reference != nullptr ? scan_vectors<true>(values, reference, count, threshold, range, into)
                              : scan_vectors<false>(values, nullptr, count, 0, range, into);
}

HWY_ATTR std::size_t keep_significant(const std::int64_t* open,
                                      const std::int64_t* sums,
                                      const float* seed,
                                      double quanta_per_unit,
                                      std::size_t count,
                                      double threshold,
                                      std::int64_t* out,
                                      Filtered& into) {
  const Signed ds;
  const Unsigned du;
  const Real df;
  const Single dn;
  const std::size_t lanes = hn::Lanes(ds);
  const auto factor = hn::Set(df, threshold);
  const auto unit = hn::Set(df, quanta_per_unit);
  const auto finite = hn::Set(df, std::numeric_limits<double>::max());
  auto held_max = hn::Zero(du);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto quanta = hn::LoadU(ds, open + i);
    auto value = hn::ConvertTo(df, hn::LoadU(ds, sums + i));
    if (seed != nullptr) {
      value = hn::MulAdd(hn::PromoteTo(df, hn::LoadU(dn, seed + i)), unit, value);
    }
    const auto bound = hn::Mul(factor, hn::Abs(value));
    const auto held =
        hn::And(hn::Lt(hn::Abs(hn::ConvertTo(df, quanta)), bound), hn::Le(bound, finite));
    const auto is_held = hn::RebindMask(ds, held);
    const auto kept = hn::IfThenZeroElse(is_held, quanta);
    held_max = hn::Max(held_max, hn::BitCast(du, hn::Abs(hn::IfThenElseZero(is_held, quanta))));
    into.kept += hn::CountTrue(ds, hn::Ne(kept, hn::Zero(ds)));
    hn::StoreU(kept, ds, out + i);
  }
  into.held_max = hn::GetLane(hn::MaxOfLanes(du, held_max));
  return i;
}

}  // namespace godwit::codec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec {

HWY_EXPORT(scan);
HWY_EXPORT(keep_significant);

Scan scan(std::span<const float> values,
          std::span<const float> reference,
          float threshold,
          float range) {
  GODWIT_ASSERT(reference.empty() || reference.size() == values.size());
  Scan found;
  const float* const against = reference.empty() ? nullptr : reference.data();
  std::size_t i =
      HWY_DYNAMIC_DISPATCH(scan)(values.data(), against, values.size(), threshold, range, found);
  for (; i < values.size(); ++i) {
    if (!(std::fabs(values[i]) <= range)) {
      found.rejected = i;
      return found;
    }
    scan_one(values[i], reference.empty() ? 0.0F : reference[i], threshold, found);
  }
  return found;
}

Filtered keep_significant(std::span<const std::int64_t> open,
                          const CurrentValues& current,
                          double threshold,
                          std::span<std::int64_t> out) {
  GODWIT_ASSERT(open.size() == current.sums.size() && open.size() == out.size());
  GODWIT_ASSERT(current.seed.empty() || current.seed.size() == open.size());
  Filtered filtered;
  const float* const seed = current.seed.empty() ? nullptr : current.seed.data();
  std::size_t i = HWY_DYNAMIC_DISPATCH(keep_significant)(open.data(),
                                                         current.sums.data(),
                                                         seed,
                                                         current.quanta_per_unit,
                                                         open.size(),
                                                         threshold,
                                                         out.data(),
                                                         filtered);
  for (; i < open.size(); ++i) {
    const double start =
        seed != nullptr ? static_cast<double>(seed[i]) * current.quanta_per_unit : 0.0;
    const double value = start + static_cast<double>(current.sums[i]);
    out[i] = keep_one(open[i], value, threshold, filtered);
  }
  return filtered;
}

}  // namespace godwit::codec
#endif  // HWY_ONCE
