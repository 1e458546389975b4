#include "codec/fixed_rate/vector_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/fixed_rate/vector_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/simd/squares.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::fixed_rate::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using codec::HWY_NAMESPACE::Squares;

using Wide = hn::ScalableTag<std::int64_t>;
using Real = hn::ScalableTag<double>;
using Middle = hn::Rebind<std::int32_t, Wide>;
using Narrow = hn::Rebind<std::int8_t, Wide>;

// q * step: the product with the mantissa has at most 17 bits, so that only the shift is wide.
template <class V>
HWY_INLINE auto times_step(V quotients, Step step) {
  const Middle dm;
  const auto mantissa = hn::Set(dm, static_cast<std::int32_t>(step.mantissa));
  const auto product = hn::PromoteTo(Wide(), hn::Mul(quotients, mantissa));
  return hn::ShiftLeftSame(product, static_cast<int>(step.exponent));
}

// Less than 1 / step by more than all the rounding below can add: an element of up to half a step
// never becomes a whole one, which would leave more than there was.
double inverse_of(Step step) {
  return (1 - 0x1p-50) / static_cast<double>(step.quanta());
}

HWY_ATTR Remainder quantise_padded(const std::int64_t* values,
                                   std::size_t padded,
                                   Step step,
                                   std::uint32_t most,
                                   std::int8_t* quotients,
                                   std::int64_t* removed) {
  const Wide dw;
  const Real dr;
  const Middle dm;
  const hn::RebindToUnsigned<Wide> du;
  const std::size_t lanes = hn::Lanes(dw);
  const auto inverse = hn::Set(dr, inverse_of(step));
  const auto limit = hn::Set(dr, static_cast<double>(most));
  auto max = hn::Zero(du);
  Squares squares;
  for (std::size_t i = 0; i < padded; i += lanes) {
    const auto value = hn::LoadU(dw, values + i);
    const auto ratio = hn::Mul(hn::ConvertTo(dr, value), inverse);
    const auto rounded = hn::Max(hn::Neg(limit), hn::Min(limit, hn::Round(ratio)));
    const auto quotient = hn::DemoteTo(dm, rounded);
    hn::StoreU(hn::DemoteTo(Narrow(), quotient), Narrow(), quotients + i);
    const auto product = times_step(quotient, step);
    hn::StoreU(product, dw, removed + i);
    const auto left = hn::Sub(value, product);
    max = hn::Max(max, hn::BitCast(du, hn::Abs(left)));
    squares.add(i / lanes % Squares::kVectors, left);
  }
  return {hn::GetLane(hn::MaxOfLanes(du, max)), squares.sum()};
}

HWY_ATTR Remainder quantise(const std::int64_t* values,
                            std::size_t count,
                            Step step,
                            std::uint32_t most,
                            std::int8_t* quotients,
                            std::int64_t* removed) {
  if (count == kGroup) {
    return quantise_padded(values, kGroup, step, most, quotients, removed);
  }
  HWY_ALIGN std::int64_t padded[kGroup] = {};
  HWY_ALIGN std::int64_t result[kGroup];
  std::memcpy(padded, values, count * sizeof(*values));
  const Remainder left = quantise_padded(padded, kGroup, step, most, quotients, result);
  std::memcpy(removed, result, count * sizeof(*removed));
  return left;
}

HWY_ATTR void reconstruct(const std::int8_t* quotients,
                          std::size_t count,
                          Step step,
                          std::int64_t* out) {
  const Wide dw;
  const std::size_t lanes = hn::Lanes(dw);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto quotient = hn::PromoteTo(Middle(), hn::LoadU(Narrow(), quotients + i));
    hn::StoreU(times_step(quotient, step), dw, out + i);
  }
  for (; i < count; ++i) {
    const std::int64_t product = std::int64_t{quotients[i]} * step.mantissa;
    out[i] = product * (std::int64_t{1} << step.exponent);
  }
}

HWY_ATTR void pack_nibbles(const std::int8_t* quotients, std::size_t count, std::uint8_t* out) {
  const hn::ScalableTag<std::uint16_t> dw;
  const hn::Rebind<std::uint8_t, decltype(dw)> db;
  const std::size_t pairs = hn::Lanes(dw);
  std::size_t i = 0;
  for (; i + 2 * pairs <= count; i += 2 * pairs) {
    const auto pair = hn::LoadU(dw, reinterpret_cast<const std::uint16_t*>(quotients + i));
    const auto low = hn::And(pair, hn::Set(dw, 0x0f));
    const auto high = hn::And(hn::ShiftRight<4>(pair), hn::Set(dw, 0xf0));
    hn::StoreU(hn::TruncateTo(db, hn::Or(low, high)), db, out + i / 2);
  }
  for (; i < count; i += 2) {
    const unsigned low = static_cast<std::uint8_t>(quotients[i]) & 0xfU;
    const unsigned high = i + 1 < count ? static_cast<std::uint8_t>(quotients[i + 1]) & 0xfU : 0U;
    out[i / 2] = static_cast<std::uint8_t>(low | high << 4U);
  }
}

HWY_ATTR void unpack_nibbles(const std::uint8_t* packed,
                             std::size_t count,
                             std::int8_t* quotients) {
  const hn::ScalableTag<std::uint16_t> dw;
  const hn::Rebind<std::uint8_t, decltype(dw)> db;
  const std::size_t pairs = hn::Lanes(dw);
  std::size_t i = 0;
  for (; i + 2 * pairs <= count; i += 2 * pairs) {
    const auto byte = hn::PromoteTo(dw, hn::LoadU(db, packed + i / 2));
    const auto apart = hn::And(hn::Or(byte, hn::ShiftLeft<4>(byte)), hn::Set(dw, 0x0f0f));
    // Bit 3 of each byte again in bits 4 to 7.
    const auto signs = hn::Mul(hn::And(apart, hn::Set(dw, 0x0808)), hn::Set(dw, 0x1e));
    hn::StoreU(hn::Or(apart, signs), dw, reinterpret_cast<std::uint16_t*>(quotients + i));
  }
  for (; i < count; ++i) {
    const int nibble = packed[i / 2] >> (4 * (i % 2)) & 0xf;
    quotients[i] = static_cast<std::int8_t>((nibble ^ 8) - 8);
  }
}

}  // namespace godwit::codec::fixed_rate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::fixed_rate {

HWY_EXPORT(quantise);
HWY_EXPORT(reconstruct);
HWY_EXPORT(pack_nibbles);
HWY_EXPORT(unpack_nibbles);

Remainder quantise(const std::int64_t* values,
                   std::size_t count,
                   Step step,
                   std::uint32_t most,
                   std::int8_t* quotients,
                   std::int64_t* removed) {
  return HWY_DYNAMIC_DISPATCH(quantise)(values, count, step, most, quotients, removed);
}

void reconstruct(const std::int8_t* quotients, std::size_t count, Step step, std::int64_t* out) {
  HWY_DYNAMIC_DISPATCH(reconstruct)(quotients, count, step, out);
}

void pack_nibbles(const std::int8_t* quotients, std::size_t count, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(pack_nibbles)(quotients, count, out);
}

void unpack_nibbles(const std::uint8_t* packed, std::size_t count, std::int8_t* quotients) {
  HWY_DYNAMIC_DISPATCH(unpack_nibbles)(packed, count, quotients);
}

}  // namespace godwit::codec::fixed_rate
#endif  // HWY_ONCE
