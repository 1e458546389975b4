#include "codec/xh/code_joining.h"

#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "tests/codec/targets.h"

namespace godwit::codec::xh {
namespace {

class XhCodeJoining : public testing::OnEveryTarget {};

// Symbols of some rows, each with bits of its own: up to 11, which nothing has to decode here.
CodeTables tables_of(Random& random, std::vector<std::uint8_t>& symbols) {
  CodeTables tables;
  for (std::uint8_t row = 0; row < 16; ++row) {
    if (random.chance(0.5)) {
      continue;
    }
    tables.rows[tables.row_count++] = row;
    for (unsigned at = 0; at < 16; ++at) {
      const unsigned symbol = row * 16U + at;
      const auto length = static_cast<unsigned>(1 + random.below(11));
      const auto code = static_cast<unsigned>(random.below(std::uint64_t{1} << length));
      tables.low[symbol] = static_cast<std::uint8_t>(code);
      tables.high[symbol] = static_cast<std::uint8_t>(code >> 8U);
      tables.length[symbol] = static_cast<std::uint8_t>(length);
      symbols.push_back(static_cast<std::uint8_t>(symbol));
    }
  }
  return tables;
}

TEST_P(XhCodeJoining, PutsFourCodesOneBehindTheOther) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::uint8_t> symbols;
    const CodeTables tables = tables_of(random, symbols);
    if (symbols.empty()) {
      continue;
    }
    std::vector<std::uint8_t> bytes(kJoinedBytes);
    for (std::uint8_t& byte : bytes) {
      byte = symbols[random.below(symbols.size())];
    }
    std::vector<std::uint64_t> strings(kJoinedStrings);
    std::vector<std::uint32_t> lengths(kJoinedStrings);
    join_codes(tables, bytes.data(), strings.data(), lengths.data());
    for (std::size_t i = 0; i < kJoinedStrings; ++i) {
      std::uint64_t string = 0;
      unsigned length = 0;
      for (std::size_t at = 4 * i; at < 4 * i + 4; ++at) {
        const std::uint8_t byte = bytes[at];
        string |= (tables.low[byte] | std::uint64_t{tables.high[byte]} << 8U) << length;
        length += tables.length[byte];
      }
      ASSERT_EQ(strings[i], string) << "string " << i << " of round " << round;
      ASSERT_EQ(lengths[i], length) << "string " << i << " of round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets,
                         XhCodeJoining,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

}  // namespace
}  // namespace godwit::codec::xh
