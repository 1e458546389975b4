#include "dataplane/ledger/field_checksum.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::ledger {

namespace {

__extension__ using Wide = unsigned __int128;
__extension__ using SignedWide = __int128;

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes well.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;        // SplitMix64's increment
constexpr std::uint64_t kWeightDomain = 0x7765696768740000U;  // "weight": keeps w apart from beta
constexpr std::uint64_t kBetaDomain = 0x6265746100000000U;    // "beta"

// Any 128-bit value to [0, p): 2^61 = 1 in the field, so 61-bit digits are simply added.
std::uint64_t reduce(Wide value) {
  const auto low = static_cast<std::uint64_t>(value) & kFieldPrime;
  const auto middle = static_cast<std::uint64_t>(value >> 61U) & kFieldPrime;
  const auto high = static_cast<std::uint64_t>(value >> 122U);
  std::uint64_t sum = low + middle + high;  // < 2^62 + 64
  sum = (sum & kFieldPrime) + (sum >> 61U);
  return sum >= kFieldPrime ? sum - kFieldPrime : sum;
}

}  // namespace

std::uint64_t field_multiply(std::uint64_t a, std::uint64_t b) {
  return reduce(static_cast<Wide>(a) * b);
}

FieldChecksum::FieldChecksum(TopicId topic, std::uint16_t shard)
    : key_(mix(mix(topic.value() + kGolden) ^ (std::uint64_t{shard} * kGolden))) {
  for (std::uint32_t i = 0; i < kBlockElements; ++i) {
    const auto word = static_cast<std::uint32_t>(mix(key_ ^ (kWeightDomain + (i * kGolden))));
    weights_[i] = std::max(word, 1U);  // zero would hide its element
  }
}

std::uint64_t FieldChecksum::beta(std::uint64_t block) const {
  return std::max<std::uint64_t>(mix(mix(key_ ^ kBetaDomain) + (block * kGolden)) % kFieldPrime, 1);
}

std::uint64_t FieldChecksum::of_block(std::uint64_t block,
                                      std::span<const std::int64_t> values,
                                      std::uint32_t first) const {
  GODWIT_ASSERT(first + values.size() <= kBlockElements);
  return in_field(block, weighted_sum(values, weights_.data() + first));
}

FieldChecksum::Measured FieldChecksum::measure(std::uint64_t block,
                                               std::span<const std::int64_t> values,
                                               std::uint32_t first) const {
  GODWIT_ASSERT(first + values.size() <= kBlockElements);
  const BlockMeasure measured = ledger::measure(values, weights_.data() + first);
  return {measured.statistics, in_field(block, measured.weighted)};
}

FieldChecksum::Measured FieldChecksum::add(std::uint64_t block,
                                           const std::int64_t* home,
                                           std::span<const std::int64_t> values,
                                           std::int64_t* out,
                                           std::uint32_t first) const {
  GODWIT_ASSERT(first + values.size() <= kBlockElements);
  const BlockMeasure measured = add_measured(home, values, weights_.data() + first, out);
  return {measured.statistics, in_field(block, measured.weighted)};
}

FieldChecksum::Measured FieldChecksum::measure(std::uint64_t block,
                                               const BlockChange& change) const {
  const BlockMeasure measured = ledger::measure(change, weights_.data());
  return {measured.statistics, in_field(block, measured.weighted)};
}

FieldChecksum::Measured FieldChecksum::add(std::uint64_t block,
                                           const std::int64_t* home,
                                           const BlockChange& change,
                                           std::int64_t* out) const {
  const BlockMeasure measured = add_measured(home, change, weights_.data(), out);
  return {measured.statistics, in_field(block, measured.weighted)};
}

std::uint64_t FieldChecksum::in_field(std::uint64_t block, const WeightedSum& parts) const {
  // |sum| < 4096 * 2^32 * 2^63 = 2^107: no overflow.
  const SignedWide sum = (static_cast<SignedWide>(parts.high) * (SignedWide{1} << 64U)) +
                         (static_cast<SignedWide>(parts.middle) << 32U) +
                         static_cast<SignedWide>(parts.low);
  const bool negative = sum < 0;
  const std::uint64_t reduced = reduce(static_cast<Wide>(negative ? -sum : sum));
  const std::uint64_t in_block = negative ? field_subtract(0, reduced) : reduced;
  return field_multiply(in_block, beta(block));
}

std::uint64_t FieldChecksum::of_tile(std::uint32_t tile,
                                     std::span<const std::int64_t> values) const {
  return of_range(std::uint64_t{tile} * kTileElements, values);
}

std::uint64_t FieldChecksum::of_range(std::uint64_t element,
                                      std::span<const std::int64_t> values) const {
  std::uint64_t sum = 0;
  while (!values.empty()) {
    const auto first = static_cast<std::uint32_t>(element % kBlockElements);
    const auto count = std::min<std::size_t>(values.size(), kBlockElements - first);
    sum = field_add(sum, of_block(element / kBlockElements, values.first(count), first));
    values = values.subspan(count);
    element += count;
  }
  return sum;
}

}  // namespace godwit::ledger
