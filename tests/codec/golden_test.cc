// Codes of version 1, kept for ever: what was sent once must decode to the same integers.
//
// A line of golden/v1.txt: codec, elements, the code in hexadecimal, and the CRC-32C of the decoded
// integers as little-endian i64. Lines are added, never changed.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "codec/catalog.h"
#include "dataplane/base/checksum.h"
#include "tests/support/hex.h"

namespace godwit::codec {
namespace {

TEST(Golden, CodesOfVersionOneDecodeToTheSameIntegers) {
  std::ifstream file("tests/codec/golden/v1.txt");
  ASSERT_TRUE(file) << "run from the root of the source tree";
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream fields(line);
    std::string codec;
    std::size_t elements = 0;
    std::string hex;
    std::uint32_t checksum = 0;
    ASSERT_TRUE(fields >> codec >> elements >> hex >> std::hex >> checksum) << line.substr(0, 60);
    for (const Entry& entry : catalog()) {
      if (entry.name != codec) {
        continue;
      }
      std::vector<std::int64_t> values(elements);
      const auto result = entry.make_decoder()->decode(testing_support::from_hex(hex), values);
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_EQ(crc32c(std::as_bytes(std::span(values))), checksum) << line.substr(0, 60);
      ++lines;
    }
  }
  EXPECT_GE(lines, 20U);
}

}  // namespace
}  // namespace godwit::codec
