#include "codec/kernels.h"

#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/simd/prefetch.h"
#include "codec/simd/squares.h"
#include "dataplane/base/assert.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Signed = hn::ScalableTag<std::int64_t>;
using Unsigned = hn::ScalableTag<std::uint64_t>;
using Real = hn::ScalableTag<double>;
using Single = hn::Rebind<float, Real>;

constexpr std::size_t kAheadBytes = 2048;  // of floats that are converted

HWY_ATTR double energy(const std::int64_t* values, std::size_t count) {
  const Squares::Signed ds;
  Squares squares;
  std::size_t i = 0;
  for (; i + Squares::kSums <= count; i += Squares::kSums) {
    for (std::size_t at = 0; at < Squares::kVectors; ++at) {
      squares.add(at, hn::LoadU(ds, values + i + at * hn::Lanes(ds)));
    }
  }
  double sum = squares.sum();
  for (; i < count; ++i) {
    sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  return sum;
}

HWY_ATTR std::uint64_t max_abs(const std::int64_t* values, std::size_t count) {
  const Signed ds;
  const Unsigned du;
  const std::size_t lanes = hn::Lanes(ds);
  auto max = hn::Zero(du);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    max = hn::Max(max, hn::BitCast(du, hn::Abs(hn::LoadU(ds, values + i))));
  }
  std::uint64_t result = hn::GetLane(hn::MaxOfLanes(du, max));
  for (; i < count; ++i) {
    const auto bits = static_cast<std::uint64_t>(values[i]);
    const std::uint64_t size = values[i] < 0 ? ~bits + 1 : bits;
    result = size > result ? size : result;
  }
  return result;
}

HWY_ATTR Remainder remainder(const std::int64_t* values,
                             const std::int64_t* removed,
                             std::size_t count) {
  const Squares::Signed ds;
  const hn::RebindToUnsigned<Squares::Signed> du;
  auto max = hn::Zero(du);
  Squares squares;
  std::size_t i = 0;
  for (; i + Squares::kSums <= count; i += Squares::kSums) {
    for (std::size_t at = 0; at < Squares::kVectors; ++at) {
      const std::size_t first = i + at * hn::Lanes(ds);
      const auto left = hn::Sub(hn::LoadU(ds, values + first), hn::LoadU(ds, removed + first));
      max = hn::Max(max, hn::BitCast(du, hn::Abs(left)));
      squares.add(at, left);
    }
  }
  Remainder result{hn::GetLane(hn::MaxOfLanes(du, max)), squares.sum()};
  for (; i < count; ++i) {
    const std::int64_t left = values[i] - removed[i];
    const auto real = static_cast<double>(left);
    const auto size = static_cast<std::uint64_t>(left < 0 ? -left : left);
    result.max = size > result.max ? size : result.max;
    result.energy += real * real;
  }
  return result;
}

// Converts whole vectors from `first`; stops before one that holds a rejected value.
HWY_ATTR std::size_t to_fixed(
    const float* in, std::size_t count, double scale, std::int64_t limit, std::int64_t* out) {
  const Signed ds;
  const Real df;
  const Single dn;
  const std::size_t lanes = hn::Lanes(df);
  const auto factor = hn::Set(df, scale);
  const auto representable = hn::Set(df, 0x1p62);
  const auto most = hn::Set(ds, limit);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    prefetch_beyond(in + i, kAheadBytes);
    // A float times a power of two is exact in double.
    const auto scaled = hn::Mul(hn::PromoteTo(df, hn::LoadU(dn, in + i)), factor);
    const auto rounded = hn::Round(scaled);
    const auto in_range = hn::Le(hn::Abs(rounded), representable);  // false for NaN
    const auto value = hn::ConvertTo(ds, hn::IfThenElseZero(in_range, rounded));
    const auto too_large = hn::Gt(hn::Abs(value), most);
    if (!hn::AllTrue(df, in_range) || !hn::AllFalse(ds, too_large)) {
      return i;
    }
    hn::StoreU(value, ds, out + i);
  }
  return i;
}

// Converts whole vectors; the caller does the rest.
HWY_ATTR std::size_t to_float(const std::int64_t* in, std::size_t count, double scale, float* out) {
  const Signed ds;
  const Real df;
  const Single dn;
  const std::size_t lanes = hn::Lanes(ds);
  const auto factor = hn::Set(df, scale);
  const auto low = hn::Set(ds, 1023);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    // Rounding to double and then to float could round twice. Beyond 2^53 the ten low bits are
    // replaced by one that says whether any was set: that rounds as all of them would.
    const auto value = hn::LoadU(ds, in + i);
    const auto tail = hn::And(value, low);
    const auto sticky = hn::ShiftLeft<10>(hn::ShiftRight<10>(hn::Add(tail, low)));
    const auto folded = hn::Or(hn::AndNot(low, value), sticky);
    const auto large = hn::Gt(hn::Abs(value), hn::Set(ds, std::int64_t{1} << 53U));
    const auto exact = hn::ConvertTo(df, hn::IfThenElse(large, folded, value));
    hn::StoreU(hn::DemoteTo(dn, hn::Mul(exact, factor)), dn, out + i);
  }
  return i;
}

}  // namespace godwit::codec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec {

HWY_EXPORT(energy);
HWY_EXPORT(max_abs);
HWY_EXPORT(remainder);
HWY_EXPORT(to_fixed);
HWY_EXPORT(to_float);

double energy(std::span<const std::int64_t> values) {
  return HWY_DYNAMIC_DISPATCH(energy)(values.data(), values.size());
}

std::uint64_t max_abs(std::span<const std::int64_t> values) {
  return HWY_DYNAMIC_DISPATCH(max_abs)(values.data(), values.size());
}

Remainder remainder(std::span<const std::int64_t> values, std::span<const std::int64_t> removed) {
  GODWIT_ASSERT(values.size() == removed.size());
  return HWY_DYNAMIC_DISPATCH(remainder)(values.data(), removed.data(), values.size());
}

FixedPointResult to_fixed(std::span<const float> in,
                          int fraction_bits,
                          std::int64_t limit,
                          std::span<std::int64_t> out) {
  GODWIT_ASSERT(in.size() == out.size());
  GODWIT_ASSERT(fraction_bits >= 0 && fraction_bits <= 62);
  GODWIT_ASSERT(limit >= 0 && limit <= std::int64_t{1} << 62U);
  const double scale = std::ldexp(1.0, fraction_bits);
  const std::size_t done =
      HWY_DYNAMIC_DISPATCH(to_fixed)(in.data(), in.size(), scale, limit, out.data());
  for (std::size_t i = done; i < in.size(); ++i) {
    const double rounded = std::nearbyint(static_cast<double>(in[i]) * scale);
    if (!(std::abs(rounded) <= static_cast<double>(limit)) ||
        std::abs(static_cast<std::int64_t>(rounded)) > limit) {
      return {Rejected{i, in[i]}};
    }
    out[i] = static_cast<std::int64_t>(rounded);
  }
  return {};
}

void to_float(std::span<const std::int64_t> in, int fraction_bits, std::span<float> out) {
  GODWIT_ASSERT(in.size() == out.size());
  GODWIT_ASSERT(fraction_bits >= 0 && fraction_bits <= 62);
  const double scale = std::ldexp(1.0, -fraction_bits);
  const std::size_t done = HWY_DYNAMIC_DISPATCH(to_float)(in.data(), in.size(), scale, out.data());
  for (std::size_t i = done; i < in.size(); ++i) {
    out[i] = static_cast<float>(in[i]) * static_cast<float>(scale);
  }
}

}  // namespace godwit::codec
#endif  // HWY_ONCE
