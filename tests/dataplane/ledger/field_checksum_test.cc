// The checksum against its definition, computed here in the plainest way.
#include "dataplane/ledger/field_checksum.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::ledger {
namespace {

__extension__ using WideUnsigned = unsigned __int128;

std::uint64_t modulo(std::int64_t x) {
  const auto p = static_cast<std::int64_t>(kFieldPrime);
  const std::int64_t rest = x % p;
  return static_cast<std::uint64_t>(rest < 0 ? rest + p : rest);
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>(static_cast<WideUnsigned>(a) * b % kFieldPrime);
}

// c(x) by the formula, one reduction per operation.
std::uint64_t plain(const FieldChecksum& checksum,
                    std::uint64_t element,
                    const std::vector<std::int64_t>& values) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t at = element + i;
    const auto weight = checksum.weight(static_cast<std::uint32_t>(at % kBlockElements));
    const std::uint64_t term =
        times(times(modulo(values[i]), weight), checksum.beta(at / kBlockElements));
    sum = (sum + term) % kFieldPrime;
  }
  return sum;
}

std::vector<std::int64_t> random_values(Random& random, std::size_t count) {
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) {
    value = static_cast<std::int64_t>(random.next() >> random.below(64));
    value = random.chance(0.5) ? value : -1 - value;
  }
  return values;
}

RC_GTEST_PROP(FieldChecksumLaw, EqualsItsDefinition, (std::uint64_t seed)) {
  Random random(seed);
  const FieldChecksum checksum(TopicId(random.next()), static_cast<std::uint16_t>(random.next()));
  const std::uint64_t element = random.below(std::uint64_t{1} << 34U);
  const auto values = random_values(random, 1 + random.below(10'000));
  RC_ASSERT(checksum.of_range(element, values) == plain(checksum, element, values));
}

RC_GTEST_PROP(FieldChecksumLaw, IsLinear, (std::uint64_t seed)) {
  Random random(seed);
  const FieldChecksum checksum(TopicId(1), 2);
  auto x = random_values(random, 5'000);
  auto y = random_values(random, 5'000);
  std::vector<std::int64_t> sum(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] /= 2;
    y[i] /= 2;
    sum[i] = x[i] + y[i];
  }
  RC_ASSERT(checksum.of_range(7, sum) ==
            field_add(checksum.of_range(7, x), checksum.of_range(7, y)));
}

TEST(FieldChecksum, TakesTheExtremesWithoutOverflow) {
  const FieldChecksum checksum(TopicId(3), 0);
  for (const std::int64_t extreme :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    const std::vector<std::int64_t> values(kBlockElements, extreme);
    EXPECT_EQ(checksum.of_range(0, values), plain(checksum, 0, values));
  }
}

TEST(FieldChecksum, DiffersByTopicShardAndPlace) {
  const std::vector<std::int64_t> one = {1};
  const FieldChecksum checksum(TopicId(3), 0);
  EXPECT_NE(checksum.of_range(0, one), FieldChecksum(TopicId(4), 0).of_range(0, one));
  EXPECT_NE(checksum.of_range(0, one), FieldChecksum(TopicId(3), 1).of_range(0, one));
  EXPECT_NE(checksum.of_range(0, one), checksum.of_range(1, one));
  EXPECT_NE(checksum.of_range(0, one), checksum.of_range(kBlockElements, one));
}

// The weights are part of the wire format: these never change.
TEST(FieldChecksum, KeepsTheWeightsOfVersion1) {
  const FieldChecksum checksum(TopicId(0x1122334455667788), 3);
  EXPECT_EQ(checksum.weight(0), 1693165472U);
  EXPECT_EQ(checksum.weight(4095), 3514503929U);
  EXPECT_EQ(checksum.beta(0), 156219744867924501U);
  EXPECT_EQ(checksum.beta(1'000'000), 1211058770784018791U);
}

}  // namespace
}  // namespace godwit::ledger
