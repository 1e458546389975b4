#include "bench/wan/arp.h"

#include <array>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::wan {
namespace {

std::vector<std::byte> frame_of(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) {
    out.push_back(static_cast<std::byte>(value));
  }
  return out;
}

// 02:77:00:00:00:00 has 10.77.0.1 and asks everybody who has 10.77.`site`.1.
std::vector<std::byte> question(int site, int operation = 1) {
  return frame_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x77,      0, 0,    0,  0,  8,    6,
                   0,    1,    8,    0,    6,    4,    0, operation, 2, 0x77, 0,  0,  0,    0,
                   10,   77,   0,    1,    0,    0,    0, 0,         0, 0,    10, 77, site, 1});
}

TEST(Arp, AnswersForAnotherSite) {
  auto frame = question(2);
  ASSERT_TRUE(answer_arp(frame, 0, 3));
  EXPECT_EQ(frame,
            frame_of({2, 0x77, 0, 0, 0, 0, 2,  0x77, 0, 0, 0, 2,    8, 6, 0, 1, 8,  0,  6, 4, 0, 2,
                      2, 0x77, 0, 0, 0, 2, 10, 77,   2, 1, 2, 0x77, 0, 0, 0, 0, 10, 77, 0, 1}));
}

TEST(Arp, LeavesEveryOtherFrameAlone) {
  const std::array<std::vector<std::byte>, 4> frames{
      question(3),     // there is no fourth site
      question(0),     // its own address: a probe, or an announcement
      question(2, 2),  // an answer
      frame_of({2, 0x77, 0, 0, 0, 1, 2, 0x77, 0, 0, 0, 0, 8, 6}),
  };
  for (const auto& untouched : frames) {
    auto frame = untouched;
    EXPECT_FALSE(answer_arp(frame, 0, 3));
    EXPECT_EQ(frame, untouched);
  }
  auto other_type = question(2);
  other_type[13] = std::byte{0};  // IPv4
  EXPECT_FALSE(answer_arp(other_type, 0, 3));
}

}  // namespace
}  // namespace godwit::wan
