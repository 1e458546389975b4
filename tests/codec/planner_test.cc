// When a tile goes by fixed rate, and what it costs to know.
#include "codec/planner.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/codec/tiles.h"

namespace godwit::codec {
namespace {

constexpr std::size_t kQ8Bytes = 33'024;  // of a full tile: 128 steps and 32,768 quotients
constexpr std::size_t kQ4Bytes = 16'640;

class PlannerTest : public ::testing::Test {
 protected:
  // Bit planes took so many nanoseconds for each byte of a code of such a size.
  void learn(double ns_per_byte, std::size_t bytes = kQ8Bytes, int times = 1) {
    for (int i = 0; i < times; ++i) {
      planner_.learn({.id = Id::kBpc, .bytes = bytes}, ns_per_byte * static_cast<double>(bytes));
    }
  }
  std::optional<Id> choose(double link_ns_per_byte,
                           Budget budget = {.bytes = 40'000},
                           Accepts accepts = {}) {
    return planner_.fixed_rate(tile_, budget, link_ns_per_byte, accepts);
  }

  Random random_{7};
  testing::Integers tile_ = testing::constant(kTileElements, 1000, random_);
  Planner planner_;
};

TEST_F(PlannerTest, PlanesGoFirst) {
  EXPECT_EQ(choose(0.001), std::nullopt) << "nobody knows what they take";
  learn(3);
  EXPECT_EQ(choose(0.001), Id::kQ8);
  EXPECT_EQ(choose(0), std::nullopt) << "nobody knows the link";
}

TEST_F(PlannerTest, TheSlowerOfProcessorAndLinkDecides) {
  learn(3);
  EXPECT_EQ(choose(2.9), Id::kQ8);
  EXPECT_EQ(choose(3), std::nullopt);
  EXPECT_EQ(choose(100), std::nullopt);
}

TEST_F(PlannerTest, TheLargerCodeThatFitsAndIsTaken) {
  learn(3);
  learn(3, kQ4Bytes);
  EXPECT_EQ(choose(1, {.bytes = kQ8Bytes}), Id::kQ8);
  EXPECT_EQ(choose(1, {.bytes = kQ8Bytes - 1}), Id::kQ4);
  EXPECT_EQ(choose(1, {.bytes = kQ4Bytes - 1}), std::nullopt);
  EXPECT_EQ(choose(1, {.bytes = kQ8Bytes}, {.q8 = false}), Id::kQ4);
  EXPECT_EQ(choose(1, {.bytes = kQ8Bytes}, {.q8 = false, .q4 = false}), std::nullopt);
}

TEST_F(PlannerTest, OnlyWhereHalfOfTheElementsAreAboveTheFloor) {
  learn(3);
  EXPECT_EQ(choose(1, {.bytes = 40'000, .floor = 999}), Id::kQ8);
  EXPECT_EQ(choose(1, {.bytes = 40'000, .floor = 1000}), std::nullopt);
  for (std::size_t i = 0; i < tile_.size(); i += 8) {
    std::fill_n(tile_.begin() + static_cast<std::ptrdiff_t>(i), 3, 0);
  }
  EXPECT_EQ(choose(1), std::nullopt) << "planes say where they are";
}

TEST_F(PlannerTest, WhatIsLearnedFollowsAndIsTriedAgain) {
  learn(30);
  learn(1, kQ8Bytes, 200);
  EXPECT_EQ(choose(1.1), std::nullopt);
  learn(30, kQ8Bytes, 200);
  int planes = 0;
  for (int i = 0; i < 640; ++i) {
    planes += choose(1.1) ? 0 : 1;
  }
  EXPECT_EQ(planes, 10);
  planner_.learn({.id = Id::kQ8, .bytes = kQ8Bytes}, 0);
  planner_.learn({.id = Id::kBpc, .bytes = 0}, 5);
  EXPECT_EQ(choose(29), Id::kQ8) << "neither says anything of planes";
}

}  // namespace
}  // namespace godwit::codec
