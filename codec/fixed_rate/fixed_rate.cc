#include "codec/fixed_rate/fixed_rate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/fixed_rate/vector_kernels.h"
#include "codec/kernels.h"
#include "dataplane/base/assert.h"

namespace godwit::codec::fixed_rate {
namespace {

using Quotients = std::array<std::int8_t, kGroup>;

constexpr Id id_of(unsigned bits) {
  return bits == 8 ? Id::kQ8 : Id::kQ4;
}

}  // namespace

template <unsigned kBits>
void Encoder<kBits>::load(std::span<const std::int64_t> open) {
  GODWIT_ASSERT(!open.empty() && open.size() <= kTileElements);
  open_ = open;
}

template <unsigned kBits>
Encoded Encoder<kBits>::encode(Budget budget,
                               std::span<std::byte> out,
                               std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  const std::size_t bytes = coded_bytes(kBits, open_.size());
  Encoded done{id_of(kBits), bytes, 0, 0, 0};
  if (bytes > std::min(budget.bytes, out.size())) {
    std::fill(removed.begin(), removed.end(), 0);
    const double all = energy(open_);
    return {done.id, 0, max_abs(open_), all, all};
  }
  auto* steps = reinterpret_cast<std::uint8_t*>(out.data());
  std::uint8_t* at = steps + Step::kBytes * groups_of(open_.size());
  Quotients quotients{};
  for (std::size_t first = 0; first < open_.size(); first += kGroup) {
    const auto group = open_.subspan(first, std::min(kGroup, open_.size() - first));
    const std::uint64_t largest = max_abs(group);
    done.energy_before += energy(group);
    GODWIT_ASSERT(largest < std::uint64_t{kValueLimit}, "the door lets nothing larger in");
    const Step step = step_for(largest, quotient_max(kBits));
    // A step is rounded up, so that the largest multiple may be out of range.
    const std::uint64_t in_range =
        (std::uint64_t{kValueLimit} - 1) / std::max<std::uint64_t>(step.quanta(), 1);
    const auto most =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(quotient_max(kBits), in_range));
    if (step.mantissa == 0) {
      quotients.fill(0);
      std::fill_n(removed.begin() + static_cast<std::ptrdiff_t>(first), group.size(), 0);
    } else {
      const Remainder left = quantise(
          group.data(), group.size(), step, most, quotients.data(), removed.data() + first);
      done.remainder_max = std::max(done.remainder_max, left.max);
      done.energy_after += left.energy;
    }
    const std::uint16_t packed = step.packed();
    std::memcpy(steps, &packed, Step::kBytes);
    steps += Step::kBytes;
    if constexpr (kBits == 8) {
      std::memcpy(at, quotients.data(), group.size());
    } else {
      pack_nibbles(quotients.data(), group.size(), at);
    }
    at += (group.size() * kBits + 7) / 8;
  }
  return done;
}

template <unsigned kBits>
Result<void> Decoder<kBits>::decode(std::span<const std::byte> coded, std::span<std::int64_t> out) {
  constexpr int kMost = static_cast<int>(quotient_max(kBits));
  if (coded.size() != coded_bytes(kBits, out.size())) {
    return fail(Code::kCorrupt, "q{}: {} bytes for {} elements", kBits, coded.size(), out.size());
  }
  const auto* steps = reinterpret_cast<const std::uint8_t*>(coded.data());
  const std::uint8_t* at = steps + Step::kBytes * groups_of(out.size());
  Quotients quotients{};
  for (std::size_t first = 0; first < out.size(); first += kGroup) {
    const std::size_t count = std::min(kGroup, out.size() - first);
    std::uint16_t packed = 0;
    std::memcpy(&packed, steps, Step::kBytes);
    steps += Step::kBytes;
    const Step step = Step::unpack(packed);
    if constexpr (kBits == 8) {
      std::memcpy(quotients.data(), at, count);
    } else {
      unpack_nibbles(at, count, quotients.data());
      if (count % 2 != 0 && at[count / 2] >> 4U != 0) {
        return fail(Code::kCorrupt, "q4: bits behind the last element");
      }
    }
    at += (count * kBits + 7) / 8;
    const auto [least, most] = std::minmax_element(quotients.begin(), quotients.begin() + count);
    const int largest = std::max(-int{*least}, int{*most});
    const bool in_range =
        step.exponent <= Step::kExponentMax && largest <= kMost &&
        (largest == 0 ||
         (step.mantissa != 0 &&
          step.quanta() <= (std::uint64_t{kValueLimit} - 1) / static_cast<std::uint64_t>(largest)));
    if (!in_range) {
      return fail(Code::kCorrupt,
                  "q{}: group {}: quotients up to {} of steps of {} * 2^{}",
                  kBits,
                  first / kGroup,
                  largest,
                  step.mantissa,
                  step.exponent);
    }
    reconstruct(quotients.data(), count, step, out.data() + first);
  }
  return {};
}

template class Encoder<8>;
template class Encoder<4>;
template class Decoder<8>;
template class Decoder<4>;

}  // namespace godwit::codec::fixed_rate
