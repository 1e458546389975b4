#include "codec/bpc/vector_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/bpc/vector_kernels.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/simd/prefetch.h"
#include "codec/simd/squares.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::bpc::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using codec::HWY_NAMESPACE::Squares;

using Unsigned = hn::ScalableTag<std::uint64_t>;
using Signed = hn::ScalableTag<std::int64_t>;
using Short = hn::ScalableTag<std::uint16_t>;
using Narrow = hn::Rebind<std::uint16_t, Unsigned>;

// Elements of one sub-block or less, padded with zeros so that loops see whole words.
struct Padded {
  HWY_ALIGN std::int64_t values[kSubBlock];

  Padded(const std::int64_t* source, std::size_t count) {
    std::memset(values, 0, sizeof(values));
    std::memcpy(values, source, count * sizeof(std::int64_t));
  }
};

constexpr std::size_t round_up(std::size_t count) {
  return (count + kWordBits - 1) / kWordBits * kWordBits;
}

// ---- analysis

constexpr std::size_t kAheadBytes = 4096;

HWY_ATTR void summarise_sub(const std::int64_t* values,
                            std::size_t padded,
                            std::uint64_t& max,
                            double& energy) {
  const Squares::Signed ds;
  const hn::RebindToUnsigned<Squares::Signed> du;
  auto most = hn::Zero(du);
  Squares squares;
  for (std::size_t i = 0; i < padded; i += Squares::kSums) {
    for (std::size_t at = 0; at < Squares::kVectors; ++at) {
      const std::int64_t* const here = values + i + at * hn::Lanes(ds);
      prefetch_beyond(here, kAheadBytes);
      const auto value = hn::LoadU(ds, here);
      most = hn::Max(most, hn::BitCast(du, hn::Abs(value)));
      squares.add(at, value);
    }
  }
  max = hn::GetLane(hn::MaxOfLanes(du, most));
  energy = squares.sum();
}

// ---- magnitudes and planes

HWY_ATTR void quantise_words(const std::int64_t* values,
                             std::size_t words,
                             int shift,
                             std::uint16_t* magnitudes,
                             std::uint64_t* signs) {
  const Signed ds;
  const Unsigned du;
  const Narrow dn;
  const std::size_t lanes = hn::Lanes(ds);
  for (std::size_t word = 0; word < words; ++word) {
    std::uint64_t negative = 0;
    for (std::size_t i = 0; i < kWordBits; i += lanes) {
      const auto value = hn::LoadU(ds, values + word * kWordBits + i);
      const auto magnitude = hn::ShiftRightSame(hn::BitCast(du, hn::Abs(value)), shift);
      hn::StoreU(hn::TruncateTo(dn, magnitude), dn, magnitudes + word * kWordBits + i);
      std::uint64_t bits = 0;
      hn::StoreMaskBits(ds, hn::Lt(value, hn::Zero(ds)), reinterpret_cast<std::uint8_t*>(&bits));
      negative |= bits << i;
    }
    signs[word] = negative;
  }
}

// One sub-block at a time, so that what comes from memory is used while it is in the first cache.
HWY_ATTR void analyse(const std::int64_t* values,
                      std::size_t count,
                      int shift,
                      SubSummaries& summaries,
                      std::uint16_t* magnitudes,
                      std::uint64_t* signs) {
  for (std::size_t sub = 0; sub * kSubBlock < count; ++sub) {
    const std::size_t first = sub * kSubBlock;
    const std::size_t left = count - first;
    if (left >= kSubBlock) {
      summarise_sub(values + first, kSubBlock, summaries.max[sub], summaries.energy[sub]);
      if (summaries.max[sub] >> static_cast<unsigned>(shift) != 0) {
        quantise_words(
            values + first, kSubWords, shift, magnitudes + first, signs + sub * kSubWords);
      }
    } else {
      const Padded tail(values + first, left);
      summarise_sub(tail.values, round_up(left), summaries.max[sub], summaries.energy[sub]);
      quantise_words(
          tail.values, words_of(left), shift, magnitudes + first, signs + sub * kSubWords);
    }
  }
}

// The product of the low 32 bits.
HWY_ATTR HWY_INLINE hn::VFromD<Unsigned> product_of(hn::VFromD<Unsigned> a,
                                                    hn::VFromD<Unsigned> b) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Mul(a, b);
#else
  const hn::Repartition<std::uint32_t, Unsigned> dw;
  return hn::MulEven(hn::BitCast(dw, a), hn::BitCast(dw, b));
#endif
}

// y / multiplier, rounded down, for y < 2^20: a product with the reciprocal in 2^-32, rounded up.
// It is too large by less than y * 2^-32 < 2^-12, and y / multiplier lacks 1 / 27 to the next
// integer.
struct Division {
  explicit HWY_ATTR Division(std::uint32_t multiplier)
      : reciprocal(((std::uint64_t{1} << 32U) + multiplier - 1) / multiplier) {}

  HWY_ATTR HWY_INLINE hn::VFromD<Unsigned> operator()(hn::VFromD<Unsigned> y) const {
    return hn::ShiftRight<32>(product_of(y, hn::Set(Unsigned(), reciprocal)));
  }

  std::uint64_t reciprocal;
};

HWY_ATTR void quantise(const std::int64_t* values,
                       std::size_t count,
                       StepSize step,
                       const SubSummaries& summaries,
                       std::uint16_t* magnitudes) {
  const Signed ds;
  const Unsigned du;
  const Narrow dn;
  const std::size_t lanes = hn::Lanes(ds);
  const Division divide(kSixteenths[static_cast<std::size_t>(step.quarter)]);
  const int shift = step.shift - kSixteenthBits;
  const auto words = [&](const std::int64_t* from, std::size_t padded, std::uint16_t* to) HWY_ATTR {
    for (std::size_t i = 0; i < padded; i += lanes) {
      const auto size = hn::BitCast(du, hn::Abs(hn::LoadU(ds, from + i)));
      hn::StoreU(hn::TruncateTo(dn, divide(hn::ShiftRightSame(size, shift))), dn, to + i);
    }
  };
  for (std::size_t sub = 0; sub * kSubBlock < count; ++sub) {
    const std::size_t first = sub * kSubBlock;
    const std::size_t left = count - first;
    if (left < kSubBlock) {
      const Padded tail(values + first, left);
      words(tail.values, round_up(left), magnitudes + first);
    } else if (summaries.max[sub] >> static_cast<unsigned>(step.shift) != 0) {
      words(values + first, kSubBlock, magnitudes + first);
    }
  }
}

HWY_ATTR std::uint32_t count_at_least(const std::uint16_t* magnitudes,
                                      std::size_t count,
                                      std::uint16_t least) {
  const Short d;
  const std::size_t lanes = hn::Lanes(d);
  // Subtracting an all-ones mask counts.
  const auto below = hn::Set(d, static_cast<std::uint16_t>(least - 1));
  auto seen = hn::Zero(d);
  for (std::size_t i = 0; i < count; i += lanes) {
    seen = hn::Sub(seen, hn::VecFromMask(d, hn::Gt(hn::LoadU(d, magnitudes + i), below)));
  }
  HWY_ALIGN std::uint16_t lane[HWY_MAX_BYTES / 2];
  hn::Store(seen, d, lane);
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < lanes; ++i) {
    total += lane[i];
  }
  return total;
}

HWY_ATTR void extract_plane(const std::uint16_t* magnitudes,
                            std::size_t words,
                            int plane,
                            std::uint64_t* bits) {
  const Short d;
  const std::size_t lanes = hn::Lanes(d);
  const auto bit = hn::Set(d, static_cast<std::uint16_t>(1U << static_cast<unsigned>(plane)));
  for (std::size_t word = 0; word < words; ++word) {
    std::uint64_t result = 0;
    for (std::size_t i = 0; i < kWordBits; i += lanes) {
      const auto value = hn::LoadU(d, magnitudes + word * kWordBits + i);
      std::uint64_t part = 0;
      hn::StoreMaskBits(d, hn::TestBit(value, bit), reinterpret_cast<std::uint8_t*>(&part));
      result |= part << i;
    }
    bits[word] = result;
  }
}

HWY_ATTR void count_planes(const std::uint16_t* magnitudes,
                           std::size_t words,
                           std::array<std::uint32_t, kPlanes>& counts) {
  for (std::size_t plane = 0; plane < kPlanes; ++plane) {
    counts[plane] +=
        count_at_least(magnitudes, words * kWordBits, static_cast<std::uint16_t>(1U << plane));
  }
}

HWY_ATTR void insert_plane(const std::uint64_t* bits,
                           std::size_t words,
                           int plane,
                           std::uint16_t* magnitudes) {
  const Short d;
  const std::size_t lanes = hn::Lanes(d);
  const auto bit = hn::Set(d, static_cast<std::uint16_t>(1U << static_cast<unsigned>(plane)));
  for (std::size_t word = 0; word < words; ++word) {
    for (std::size_t i = 0; i < kWordBits; i += lanes) {
      const std::uint64_t part = bits[word] >> i;
      const auto mask = hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t*>(&part));
      std::uint16_t* const at = magnitudes + word * kWordBits + i;
      hn::StoreU(hn::Or(hn::LoadU(d, at), hn::IfThenElseZero(mask, bit)), d, at);
    }
  }
}

// ---- values

// Rule::value on one vector of magnitudes, with the signs in the low bits of `negative`. When
// kUniform, both planes of the rule are the same.
template <bool kUniform>
struct Reconstruction {
  explicit HWY_ATTR Reconstruction(const Rule& rule)
      : multiplier(rule.step.multiplier()),
        shift(rule.step.multiplier_shift()),
        low_keep(~((std::uint64_t{1} << rule.low_plane) - 1)),
        high_keep(~((std::uint64_t{1} << rule.high_plane) - 1)),
        high_above(static_cast<std::int64_t>((std::uint64_t{1} << (rule.low_plane + 1)) - 1)),
        low_offset(rule.offset(rule.low_plane)),
        high_offset(rule.offset(rule.high_plane)) {}

  HWY_ATTR HWY_INLINE hn::VFromD<Signed> operator()(hn::VFromD<Unsigned> magnitude,
                                                    std::uint64_t negative) const {
    const Unsigned du;
    const Signed ds;
    auto keep = hn::Set(du, low_keep);
    auto offset = hn::Set(du, low_offset);
    if constexpr (!kUniform) {
      const auto high =
          hn::RebindMask(du, hn::Gt(hn::BitCast(ds, magnitude), hn::Set(ds, high_above)));
      keep = hn::IfThenElse(high, hn::Set(du, high_keep), keep);
      offset = hn::IfThenElse(high, hn::Set(du, high_offset), offset);
    }
    const auto known = hn::And(magnitude, keep);
    const auto multiple = product_of(known, hn::Set(du, multiplier));
    const auto value =
        hn::BitCast(ds,
                    hn::IfThenZeroElse(hn::Eq(known, hn::Zero(du)),
                                       hn::Add(hn::ShiftLeftSame(multiple, shift), offset)));
    const auto mask = hn::LoadMaskBits(ds, reinterpret_cast<const std::uint8_t*>(&negative));
    return hn::IfThenElse(mask, hn::Neg(value), value);
  }

  std::uint64_t multiplier;
  int shift;
  std::uint64_t low_keep;
  std::uint64_t high_keep;
  std::int64_t high_above;
  std::uint64_t low_offset;
  std::uint64_t high_offset;
};

HWY_ATTR HWY_INLINE hn::VFromD<Unsigned> widen(const std::uint16_t* magnitudes) {
  const Unsigned du;
  const hn::Rebind<std::uint32_t, Unsigned> dw;
  const Narrow dn;
  return hn::PromoteTo(du, hn::PromoteTo(dw, hn::LoadU(dn, magnitudes)));
}

template <bool kUniform>
HWY_ATTR void reconstruct_by(const Reconstruction<kUniform>& value_of,
                             const std::uint16_t* magnitudes,
                             const std::uint64_t* signs,
                             std::size_t count,
                             std::int64_t* out) {
  const Signed ds;
  const std::size_t lanes = hn::Lanes(ds);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const std::uint64_t negative = signs[i / kWordBits] >> (i % kWordBits);
    hn::StoreU(value_of(widen(magnitudes + i), negative), ds, out + i);
  }
  if (i < count) {
    HWY_ALIGN std::int64_t last[HWY_MAX_BYTES / 8];
    const std::uint64_t negative = signs[i / kWordBits] >> (i % kWordBits);
    hn::Store(value_of(widen(magnitudes + i), negative), ds, last);
    std::memcpy(out + i, last, (count - i) * sizeof(std::int64_t));
  }
}

template <bool kUniform>
HWY_ATTR Remainder subtract_by(const Reconstruction<kUniform>& value_of,
                               const std::uint16_t* magnitudes,
                               const std::uint64_t* signs,
                               std::size_t count,
                               const std::int64_t* values,
                               std::int64_t* out) {
  const Signed ds;
  const Unsigned du;
  static_assert(hn::MaxLanes(Signed()) <= Squares::kSums);
  auto max = hn::Zero(du);
  Squares squares;
  const std::size_t whole = count / Squares::kSums * Squares::kSums;
  for (std::size_t first = 0; first < whole; first += Squares::kSums) {
    for (std::size_t at = 0; at < Squares::kVectors; ++at) {
      const std::size_t i = first + at * hn::Lanes(ds);
      const std::uint64_t negative = signs[i / kWordBits] >> (i % kWordBits);
      const auto value = value_of(widen(magnitudes + i), negative);
      hn::StoreU(value, ds, out + i);
      const auto rest = hn::Sub(hn::LoadU(ds, values + i), value);
      max = hn::Max(max, hn::BitCast(du, hn::Abs(rest)));
      squares.add(at, rest);
    }
  }
  Remainder remainder{hn::GetLane(hn::MaxOfLanes(du, max)), squares.sum()};
  if (whole < count) {
    const std::size_t word = whole / kWordBits;
    const std::size_t first = word * kWordBits;
    reconstruct_by(value_of, magnitudes + first, signs + word, count - first, out + first);
    for (std::size_t i = whole; i < count; ++i) {
      const std::int64_t rest = values[i] - out[i];
      const auto size = static_cast<std::uint64_t>(rest < 0 ? -rest : rest);
      remainder.max = remainder.max > size ? remainder.max : size;
      remainder.energy += static_cast<double>(rest) * static_cast<double>(rest);
    }
  }
  return remainder;
}

HWY_ATTR void reconstruct(const std::uint16_t* magnitudes,
                          const std::uint64_t* signs,
                          std::size_t count,
                          const Rule& rule,
                          std::int64_t* out) {
  if (rule.low_plane == rule.high_plane) {
    reconstruct_by(Reconstruction<true>(rule), magnitudes, signs, count, out);
  } else {
    reconstruct_by(Reconstruction<false>(rule), magnitudes, signs, count, out);
  }
}

HWY_ATTR Remainder reconstruct_and_subtract(const std::uint16_t* magnitudes,
                                            const std::uint64_t* signs,
                                            std::size_t count,
                                            const Rule& rule,
                                            const std::int64_t* values,
                                            std::int64_t* out) {
  return rule.low_plane == rule.high_plane
             ? subtract_by(Reconstruction<true>(rule), magnitudes, signs, count, values, out)
             : subtract_by(Reconstruction<false>(rule), magnitudes, signs, count, values, out);
}

}  // namespace godwit::codec::bpc::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::bpc {

HWY_EXPORT(analyse);
HWY_EXPORT(quantise);
HWY_EXPORT(count_at_least);
HWY_EXPORT(extract_plane);
HWY_EXPORT(count_planes);
HWY_EXPORT(insert_plane);
HWY_EXPORT(reconstruct);
HWY_EXPORT(reconstruct_and_subtract);

void analyse(const std::int64_t* values,
             std::size_t count,
             int shift,
             SubSummaries& summaries,
             std::uint16_t* magnitudes,
             std::uint64_t* signs) {
  HWY_DYNAMIC_DISPATCH(analyse)(values, count, shift, summaries, magnitudes, signs);
}

void quantise(const std::int64_t* values,
              std::size_t count,
              StepSize step,
              const SubSummaries& summaries,
              std::uint16_t* magnitudes) {
  HWY_DYNAMIC_DISPATCH(quantise)(values, count, step, summaries, magnitudes);
}

std::uint32_t count_at_least(const std::uint16_t* magnitudes,
                             std::size_t count,
                             std::uint16_t least) {
  return HWY_DYNAMIC_DISPATCH(count_at_least)(magnitudes, count, least);
}

void extract_plane(const std::uint16_t* magnitudes,
                   std::size_t words,
                   int plane,
                   std::uint64_t* bits) {
  HWY_DYNAMIC_DISPATCH(extract_plane)(magnitudes, words, plane, bits);
}

void count_planes(const std::uint16_t* magnitudes,
                  std::size_t words,
                  std::array<std::uint32_t, kPlanes>& counts) {
  HWY_DYNAMIC_DISPATCH(count_planes)(magnitudes, words, counts);
}

void insert_plane(const std::uint64_t* bits,
                  std::size_t words,
                  int plane,
                  std::uint16_t* magnitudes) {
  HWY_DYNAMIC_DISPATCH(insert_plane)(bits, words, plane, magnitudes);
}

void reconstruct(const std::uint16_t* magnitudes,
                 const std::uint64_t* signs,
                 std::size_t count,
                 const Rule& rule,
                 std::int64_t* out) {
  HWY_DYNAMIC_DISPATCH(reconstruct)(magnitudes, signs, count, rule, out);
}

Remainder reconstruct_and_subtract(const std::uint16_t* magnitudes,
                                   const std::uint64_t* signs,
                                   std::size_t count,
                                   const Rule& rule,
                                   const std::int64_t* values,
                                   std::int64_t* out) {
  return HWY_DYNAMIC_DISPATCH(reconstruct_and_subtract)(
      magnitudes, signs, count, rule, values, out);
}

}  // namespace godwit::codec::bpc
#endif  // HWY_ONCE
