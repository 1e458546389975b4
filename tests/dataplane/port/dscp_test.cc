#include "dataplane/port/dscp.h"

#include <gtest/gtest.h>

namespace godwit::port {
namespace {

struct Row {
  const char* text;
  int codepoint;
};

TEST(Dscp, KnowsTheRegistrysNames) {
  // IANA, "Differentiated Services Field Codepoints".
  for (const Row& row : {Row{"df", 0},
                         Row{"cs0", 0},
                         Row{"le", 1},
                         Row{"cs1", 8},
                         Row{"af11", 10},
                         Row{"af23", 22},
                         Row{"af41", 34},
                         Row{"cs5", 40},
                         Row{"va", 44},
                         Row{"ef", 46},
                         Row{"cs6", 48},
                         Row{"cs7", 56},
                         Row{"63", 63},
                         Row{"0", 0}}) {
    const auto codepoint = parse_dscp(row.text);
    ASSERT_TRUE(codepoint.has_value()) << row.text;
    EXPECT_EQ(*codepoint, row.codepoint) << row.text;
  }
}

// An assured forwarding class x with drop precedence y is 8x + 2y (RFC 2597), a selector 8x.
TEST(Dscp, ComputesWhatTheNamesMean) {
  for (unsigned x = 1; x <= 7; ++x) {
    EXPECT_EQ(parse_dscp("cs" + std::to_string(x)).value(), 8 * x);
    for (unsigned y = 1; x <= 4 && y <= 3; ++y) {
      EXPECT_EQ(parse_dscp("af" + std::to_string(x) + std::to_string(y)).value(), 8 * x + 2 * y);
    }
  }
}

TEST(Dscp, ReadsBackWhatItWrites) {
  for (unsigned codepoint = 0; codepoint <= kDscpMax; ++codepoint) {
    const auto value = static_cast<std::uint8_t>(codepoint);
    EXPECT_EQ(parse_dscp(format_dscp(value)).value(), value);
  }
  EXPECT_EQ(format_dscp(0), "df");
}

TEST(Dscp, RefusesTheRest) {
  for (const char* text :
       {"", "64", "-1", "255", "256", "AF11", "af", "af14", "af51", "cs8", "1 "}) {
    EXPECT_FALSE(parse_dscp(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace godwit::port
