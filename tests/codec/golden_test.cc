// Codes of version 1, kept for ever: what was sent once must decode to the same integers.
//
// A line of golden/v1.txt: codec, elements, the code in hexadecimal, and the CRC-32C of the decoded
// integers as little-endian i64. A line of golden/xh_v1.txt: type, elements, whether against a base
// of bytes 0x3c, the chunk, and the CRC-32C of the elements. Lines are added, never changed.
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "codec/catalog.h"
#include "codec/xh/chunk.h"
#include "dataplane/base/checksum.h"
#include "tests/codec/targets.h"
#include "tests/support/hex.h"

namespace godwit::codec {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << "run from the root of the source tree";
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') {
      lines.push_back(line);
    }
  }
  return lines;
}

class Golden : public testing::OnEveryTarget {};

INSTANTIATE_TEST_SUITE_P(Targets,
                         Golden,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

TEST_P(Golden, CodesOfVersionOneDecodeToTheSameIntegers) {
  std::map<std::string, std::size_t> lines;
  for (const std::string& line : lines_of("tests/codec/golden/v1.txt")) {
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
      ++lines[codec];
    }
  }
  for (const Entry& entry : catalog()) {
    EXPECT_GE(lines[std::string(entry.name)], 5U) << entry.name;
  }
}

TEST_P(Golden, ChunksOfVersionOneDecodeToTheSameElements) {
  std::map<std::string, xh::Type> types;
  for (std::size_t type = 0; type < xh::kTypes; ++type) {
    types[std::string(to_string(static_cast<xh::Type>(type)))] = static_cast<xh::Type>(type);
  }
  std::map<std::string, std::size_t> lines;
  xh::ChunkDecoder decoder;
  for (const std::string& line : lines_of("tests/codec/golden/xh_v1.txt")) {
    std::istringstream fields(line);
    std::string name;
    std::size_t elements = 0;
    bool against_base = false;
    std::string hex;
    std::uint32_t checksum = 0;
    ASSERT_TRUE(fields >> name >> elements >> against_base >> hex >> std::hex >> checksum)
        << line.substr(0, 60);
    const xh::Type type = types.at(name);
    std::vector<std::byte> values(elements * xh::bytes_of(type));
    const std::vector<std::byte> base(against_base ? values.size() : 0, std::byte{0x3c});
    const auto result = decoder.decode(type, testing_support::from_hex(hex), base, values);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(crc32c(values), checksum) << line.substr(0, 60);
    ++lines[name];
  }
  for (const auto& [name, type] : types) {
    EXPECT_GE(lines[name], 4U) << name;
  }
}

}  // namespace
}  // namespace godwit::codec
