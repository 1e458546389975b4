#include "dataplane/ledger/kernels.h"

#include <algorithm>
#include <bit>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dataplane/ledger/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::ledger::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A line at most.
using Signed = hn::CappedTag<std::int64_t, kLineElements>;

std::uint64_t magnitude_of(std::int64_t x) {
  const auto bits = static_cast<std::uint64_t>(x);
  return x < 0 ? 0 - bits : bits;
}

// Magnitudes, squares and weighted sums of values that pass by, a vector at a time.
//
// Halves of magnitudes are added as integers: exact, and no overflow below 2^32 values. For the
// weighted sum a value is taken as unsigned, x + 2^64·[x < 0]; what that adds is taken off the high
// part. Products of 32-bit halves are split once more, so that 4,096 of them cannot overflow a
// lane.
template <bool kStatistics, bool kWeighted>
class Meter {
 public:
  using Unsigned = hn::RebindToUnsigned<Signed>;
  using Real = hn::RebindToFloat<Signed>;
  using Vector = hn::Vec<Signed>;

  // NOLINTNEXTLINE(modernize-use-equals-default): that would not be compiled for the target.
  HWY_INLINE Meter() {}

  HWY_INLINE void add(Vector x, [[maybe_unused]] const std::uint32_t* weights) {
    const Unsigned tag;
    const auto mask = hn::Set(tag, 0xFFFFFFFFU);
    if constexpr (kStatistics) {
      const auto size = hn::BitCast(tag, hn::Abs(x));
      mass_low_ = hn::Add(mass_low_, hn::And(size, mask));
      mass_high_ = hn::Add(mass_high_, hn::ShiftRight<32>(size));
      max_ = hn::Max(max_, size);
      const auto real = hn::ConvertTo(Real(), x);
      energy_ = hn::MulAdd(real, real, energy_);
    }
#if HWY_TARGET != HWY_SCALAR  // which has no halves of a lane
    if constexpr (kWeighted) {
      const hn::Repartition<std::uint32_t, Unsigned> half_tag;
      const hn::Rebind<std::uint32_t, Unsigned> weight_tag;
      const auto bits = hn::BitCast(tag, x);
      const auto weight = hn::PromoteTo(tag, hn::LoadU(weight_tag, weights));
      const auto halves = hn::BitCast(half_tag, weight);
      const auto lower = hn::MulEven(hn::BitCast(half_tag, bits), halves);
      const auto upper = hn::MulEven(hn::BitCast(half_tag, hn::ShiftRight<32>(bits)), halves);
      low_ = hn::Add(low_, hn::And(lower, mask));
      middle_ = hn::Add(middle_, hn::Add(hn::ShiftRight<32>(lower), hn::And(upper, mask)));
      high_ = hn::Add(high_, hn::ShiftRight<32>(upper));
      const auto is_negative = hn::BitCast(tag, hn::BroadcastSignBit(x));
      negative_ = hn::Add(negative_, hn::And(is_negative, weight));
    }
#endif
  }

  // One value, where there is no vector of them.
  HWY_INLINE void add_one(std::int64_t x, [[maybe_unused]] std::uint32_t weight) {
    if constexpr (kStatistics) {
      const std::uint64_t size = magnitude_of(x);
      ones_.mass_low += size & 0xFFFFFFFFU;
      ones_.mass_high += size >> 32U;
      ones_.max = std::max(ones_.max, size);
      const auto real = static_cast<double>(x);
      ones_.energy += real * real;
    }
    if constexpr (kWeighted) {
      const auto bits = static_cast<std::uint64_t>(x);
      const std::uint64_t lower = (bits & 0xFFFFFFFFU) * weight;
      const std::uint64_t upper = (bits >> 32U) * weight;
      ones_.weighted.low += lower & 0xFFFFFFFFU;
      ones_.weighted.middle += (lower >> 32U) + (upper & 0xFFFFFFFFU);
      ones_.weighted.high +=
          static_cast<std::int64_t>(upper >> 32U) - (x < 0 ? static_cast<std::int64_t>(weight) : 0);
    }
  }

  BlockMeasure finish() const {
    const Unsigned tag;
    const std::uint64_t mass_low = ones_.mass_low + hn::GetLane(hn::SumOfLanes(tag, mass_low_));
    const std::uint64_t mass_high = ones_.mass_high + hn::GetLane(hn::SumOfLanes(tag, mass_high_));
    BlockMeasure result;
    result.statistics.max = std::max(ones_.max, hn::GetLane(hn::MaxOfLanes(tag, max_)));
    result.statistics.energy = ones_.energy + hn::GetLane(hn::SumOfLanes(Real(), energy_));
    result.statistics.mass =
        (static_cast<double>(mass_high) * 0x1.0p32) + static_cast<double>(mass_low);
    result.weighted = {
        .low = ones_.weighted.low + hn::GetLane(hn::SumOfLanes(tag, low_)),
        .middle = ones_.weighted.middle + hn::GetLane(hn::SumOfLanes(tag, middle_)),
        .high = ones_.weighted.high +
                static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(tag, high_))) -
                static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(tag, negative_)))};
    return result;
  }

 private:
  struct Ones {
    std::uint64_t mass_low = 0;
    std::uint64_t mass_high = 0;
    std::uint64_t max = 0;
    double energy = 0;
    WeightedSum weighted;
  };
  Ones ones_;
  hn::Vec<Unsigned> mass_low_ = hn::Zero(Unsigned());
  hn::Vec<Unsigned> mass_high_ = hn::Zero(Unsigned());
  hn::Vec<Unsigned> max_ = hn::Zero(Unsigned());
  hn::Vec<Real> energy_ = hn::Zero(Real());
  hn::Vec<Unsigned> low_ = hn::Zero(Unsigned());
  hn::Vec<Unsigned> middle_ = hn::Zero(Unsigned());
  hn::Vec<Unsigned> high_ = hn::Zero(Unsigned());
  hn::Vec<Unsigned> negative_ = hn::Zero(Unsigned());
};

// The vectors of `values`, of which each is measured, and added to `home` when there is an `out`.
template <bool kStatistics, bool kWeighted>
HWY_INLINE BlockMeasure pass(const std::int64_t* HWY_RESTRICT home,
                             const std::int64_t* HWY_RESTRICT values,
                             const std::uint32_t* HWY_RESTRICT weights,
                             std::size_t count,
                             std::int64_t* HWY_RESTRICT out) {
  const Signed tag;
  const std::size_t lanes = kWeighted && HWY_TARGET == HWY_SCALAR ? count + 1 : hn::Lanes(tag);
  Meter<kStatistics, kWeighted> meter;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::LoadU(tag, values + i);
    if (out != nullptr) {
      hn::StoreU(home != nullptr ? hn::Add(hn::LoadU(tag, home + i), x) : x, tag, out + i);
    }
    meter.add(x, kWeighted ? weights + i : nullptr);
  }
  for (; i < count; ++i) {
    if (out != nullptr) {
      out[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(home != nullptr ? home[i] : 0) +
                                         static_cast<std::uint64_t>(values[i]));
    }
    meter.add_one(values[i], kWeighted ? weights[i] : 0);
  }
  return meter.finish();
}

// The same for the touched lines of a block, whose sums come to lie side by side.
template <bool kMeasured>
HWY_INLINE BlockMeasure pass_lines(const std::int64_t* HWY_RESTRICT home,
                                   const std::int64_t* HWY_RESTRICT values,
                                   const LineBits& lines,
                                   const std::uint32_t* HWY_RESTRICT weights,
                                   std::int64_t* HWY_RESTRICT out) {
  const Signed tag;
  Meter<kMeasured, kMeasured> meter;
  for (std::size_t w = 0; w < lines.size(); ++w) {
    for (std::uint64_t word = lines[w]; word != 0;) {
      const auto first = static_cast<std::size_t>(std::countr_zero(word));
      const auto run = static_cast<std::size_t>(std::countr_one(word >> first));
      word &= word + (word & (0 - word));  // without its lowest run of ones
      std::size_t i = ((w * 64) + first) * kLineElements;
      for (const std::size_t end = i + (run * kLineElements); i < end; i += hn::Lanes(tag)) {
        const auto x = hn::LoadU(tag, values + i);
        if (out != nullptr) {
          hn::StoreU(home != nullptr ? hn::Add(hn::LoadU(tag, home + i), x) : x, tag, out);
          out += hn::Lanes(tag);
        }
        if constexpr (kMeasured && HWY_TARGET == HWY_SCALAR) {
          meter.add_one(values[i], weights[i]);
        } else if constexpr (kMeasured) {
          meter.add(x, weights + i);
        }
      }
    }
  }
  return meter.finish();
}

// Bit i, from `first` to below `last`, is whether something in line i is not zero.
HWY_INLINE std::uint64_t touched_of(const std::int64_t* HWY_RESTRICT values,
                                    unsigned first,
                                    unsigned last) {
  const Signed tag;
  std::uint64_t word = 0;
  for (unsigned line = first; line < last; ++line) {
    const std::int64_t* at = values + (std::size_t{line} * kLineElements);
    auto any = hn::LoadU(tag, at);
    for (std::size_t i = hn::Lanes(tag); i < kLineElements; i += hn::Lanes(tag)) {
      any = hn::Or(any, hn::LoadU(tag, at + i));
    }
    const bool is_touched = !hn::AllTrue(tag, hn::Eq(any, hn::Zero(tag)));
    word |= static_cast<std::uint64_t>(is_touched) << line;
  }
  return word;
}

// Where most of 64 lines are touched, or of the first of them, all count as touched.
void find_lines(const std::int64_t* HWY_RESTRICT values, LineBits& lines) {
  constexpr unsigned kFirst = 16;
  constexpr int kMostOfFirst = 12;
  constexpr int kMostOf64 = 48;
  for (std::uint64_t& word : lines) {
    word = touched_of(values, 0, kFirst);
    bool is_most = std::popcount(word) >= kMostOfFirst;
    if (!is_most) {
      word |= touched_of(values, kFirst, 64);
      is_most = std::popcount(word) >= kMostOf64;
    }
    if (is_most) {
      word = ~std::uint64_t{0};
    }
    values += 64 * kLineElements;
  }
}

BlockStatistics statistics(const std::int64_t* values, std::size_t count) {
  return pass<true, false>(nullptr, values, nullptr, count, nullptr).statistics;
}

WeightedSum weighted(const std::int64_t* values, const std::uint32_t* weights, std::size_t count) {
  return pass<false, true>(nullptr, values, weights, count, nullptr).weighted;
}

BlockMeasure both(const std::int64_t* home,
                  const std::int64_t* values,
                  const std::uint32_t* weights,
                  std::size_t count,
                  std::int64_t* out) {
  return pass<true, true>(home, values, weights, count, out);
}

void sum(const std::int64_t* home,
         const std::int64_t* values,
         std::size_t count,
         std::int64_t* out) {
  pass<false, false>(home, values, nullptr, count, out);
}

BlockMeasure both_of_lines(const std::int64_t* home,
                           const BlockChange& change,
                           const std::uint32_t* weights,
                           std::int64_t* out) {
  return pass_lines<true>(home, change.values.data(), change.lines, weights, out);
}

void sum_of_lines(const std::int64_t* home, const BlockChange& change, std::int64_t* out) {
  pass_lines<false>(home, change.values.data(), change.lines, nullptr, out);
}

void difference(const std::int64_t* HWY_RESTRICT p,
                const std::int64_t* HWY_RESTRICT r,
                const std::int64_t* HWY_RESTRICT s,
                std::size_t count,
                std::int64_t* HWY_RESTRICT out) {
  const Signed tag;
  const auto least = hn::Set(tag, std::numeric_limits<std::int64_t>::min() + 1);
  const auto most = hn::Set(tag, std::numeric_limits<std::int64_t>::max());
  const std::size_t lanes = hn::Lanes(tag);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto known = p != nullptr ? hn::LoadU(tag, p + i) : hn::Zero(tag);
    if (r != nullptr) {
      known = hn::Add(known, hn::LoadU(tag, r + i));
    }
    if (s != nullptr) {
      const auto sent = hn::LoadU(tag, s + i);
      const auto open = hn::Sub(known, sent);
      // Overflow: the operands' signs differ, and the result has not the sign of the first.
      const auto overflow = hn::And(hn::Xor(known, sent), hn::Xor(known, open));
      const auto limit = hn::IfThenElse(hn::Lt(known, hn::Zero(tag)), least, most);
      known = hn::IfThenElse(hn::Lt(overflow, hn::Zero(tag)), limit, open);
    }
    hn::StoreU(known, tag, out + i);
  }
  for (; i < count; ++i) {
    const auto known =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(p != nullptr ? p[i] : 0) +
                                  static_cast<std::uint64_t>(r != nullptr ? r[i] : 0));
    if (__builtin_sub_overflow(known, s != nullptr ? s[i] : 0, &out[i])) {
      out[i] = known < 0 ? std::numeric_limits<std::int64_t>::min() + 1
                         : std::numeric_limits<std::int64_t>::max();
    }
  }
}

}  // namespace godwit::ledger::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace godwit::ledger {

HWY_EXPORT(statistics);
HWY_EXPORT(weighted);
HWY_EXPORT(both);
HWY_EXPORT(sum);
HWY_EXPORT(difference);
HWY_EXPORT(find_lines);
HWY_EXPORT(both_of_lines);
HWY_EXPORT(sum_of_lines);

BlockStatistics block_statistics(std::span<const std::int64_t> values) {
  return HWY_DYNAMIC_DISPATCH(statistics)(values.data(), values.size());
}

WeightedSum weighted_sum(std::span<const std::int64_t> values, const std::uint32_t* weights) {
  return HWY_DYNAMIC_DISPATCH(weighted)(values.data(), weights, values.size());
}

BlockMeasure measure(std::span<const std::int64_t> values, const std::uint32_t* weights) {
  return HWY_DYNAMIC_DISPATCH(both)(nullptr, values.data(), weights, values.size(), nullptr);
}

void add(const std::int64_t* home, std::span<const std::int64_t> values, std::int64_t* out) {
  HWY_DYNAMIC_DISPATCH(sum)(home, values.data(), values.size(), out);
}

BlockMeasure add_measured(const std::int64_t* home,
                          std::span<const std::int64_t> values,
                          const std::uint32_t* weights,
                          std::int64_t* out) {
  return HWY_DYNAMIC_DISPATCH(both)(home, values.data(), weights, values.size(), out);
}

BlockChange touched(std::span<const std::int64_t, kBlockElements> values) {
  BlockChange change{.values = values};
  HWY_DYNAMIC_DISPATCH(find_lines)(values.data(), change.lines);
  return change;
}

void prefetch(const std::int64_t* home, const BlockChange& change) {
  for (std::uint64_t word : change.lines) {
    if (word == ~std::uint64_t{0}) {  // foreseen
      word = 0;
    }
    for (; word != 0; word &= word - 1) {
      __builtin_prefetch(home + (static_cast<std::size_t>(std::countr_zero(word)) * kLineElements),
                         1);
    }
    home += 64 * kLineElements;
  }
}

BlockMeasure measure(const BlockChange& change, const std::uint32_t* weights) {
  return HWY_DYNAMIC_DISPATCH(both_of_lines)(nullptr, change, weights, nullptr);
}

void add(const std::int64_t* home, const BlockChange& change, std::int64_t* out) {
  HWY_DYNAMIC_DISPATCH(sum_of_lines)(home, change, out);
}

BlockMeasure add_measured(const std::int64_t* home,
                          const BlockChange& change,
                          const std::uint32_t* weights,
                          std::int64_t* out) {
  return HWY_DYNAMIC_DISPATCH(both_of_lines)(home, change, weights, out);
}

void open_of(const std::int64_t* p,
             const std::int64_t* r,
             const std::int64_t* s,
             std::span<std::int64_t> out) {
  HWY_DYNAMIC_DISPATCH(difference)(p, r, s, out.size(), out.data());
}

}  // namespace godwit::ledger

#endif  // HWY_ONCE
