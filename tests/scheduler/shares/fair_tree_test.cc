// Shares by example.
#include "scheduler/shares/fair_tree.h"

#include <map>

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

std::map<FairTree::Node, std::uint64_t> served(FairTree& tree, int times) {
  std::map<FairTree::Node, std::uint64_t> bytes;
  for (int i = 0; i < times; ++i) {
    const auto next = tree.next().value();
    tree.charge(next, Bytes(1'000));
    bytes[next] += 1'000;
  }
  return bytes;
}

TEST(FairTree, HasNobodyWhenNobodyIsReady) {
  FairTree tree;
  EXPECT_FALSE(tree.next());
  const auto leaf = tree.add(FairTree::kRoot, 1);
  EXPECT_FALSE(tree.next());
  tree.set_ready(leaf, true);
  EXPECT_EQ(tree.next(), leaf);
  tree.set_ready(leaf, false);
  EXPECT_FALSE(tree.next());
}

TEST(FairTree, SharesThreeToOne) {
  FairTree tree;
  const auto a = tree.add(FairTree::kRoot, 3);
  const auto b = tree.add(FairTree::kRoot, 1);
  tree.set_ready(a, true);
  tree.set_ready(b, true);
  const auto bytes = served(tree, 400);
  EXPECT_EQ(bytes.at(a), 300'000U);
  EXPECT_EQ(bytes.at(b), 100'000U);
  tree.set_weight(b, 3);
  const auto later = served(tree, 400);
  EXPECT_NEAR(static_cast<double>(later.at(a)), 200'000, 2'000);
}

TEST(FairTree, WhatOneDoesNotUseTheOthersHaveByWeight) {
  FairTree tree;
  const auto a = tree.add(FairTree::kRoot, 5);
  const auto b = tree.add(FairTree::kRoot, 2);
  const auto c = tree.add(FairTree::kRoot, 1);
  tree.set_ready(b, true);
  tree.set_ready(c, true);
  auto bytes = served(tree, 300);
  EXPECT_EQ(bytes.count(a), 0U);
  EXPECT_EQ(bytes.at(b), 200'000U);
  tree.set_ready(a, true);  // and nothing is made good
  bytes = served(tree, 800);
  EXPECT_NEAR(static_cast<double>(bytes.at(a)), 500'000, 3'000);
}

// Tenants 1 and 1, one of them with two classes: it has no more by that.
TEST(FairTree, ATenantsClassesShareWhatIsTheTenants) {
  FairTree tree;
  const auto one = tree.add(FairTree::kRoot, 1);
  const auto other = tree.add(FairTree::kRoot, 1);
  const auto urgent = tree.add(one, 60);
  const auto bulk = tree.add(one, 40);
  const auto alone = tree.add(other, 1);
  for (const auto leaf : {urgent, bulk, alone}) {
    tree.set_ready(leaf, true);
  }
  const auto bytes = served(tree, 1'000);
  EXPECT_NEAR(static_cast<double>(bytes.at(alone)), 500'000, 2'000);
  EXPECT_NEAR(static_cast<double>(bytes.at(urgent)), 300'000, 2'000);
  EXPECT_NEAR(static_cast<double>(bytes.at(bulk)), 200'000, 2'000);
}

TEST(FairTree, WhoWentBeforeItsTurnOwesNoMoreThanADebt) {
  FairTree tree;
  const auto a = tree.add(FairTree::kRoot, 1);
  const auto b = tree.add(FairTree::kRoot, 1);
  tree.set_ready(a, true);
  tree.set_ready(b, true);
  for (int i = 0; i < 10'000; ++i) {
    tree.charge(a, Bytes(64 * 1024));  // 655 MB
  }
  std::uint64_t waited = 0;
  while (tree.next() == b) {
    tree.charge(b, Bytes(1'000));
    waited += 1'000;
  }
  EXPECT_NEAR(static_cast<double>(waited), static_cast<double>(FairTree::kDebtMax.count()), 70'000);
}

}  // namespace
}  // namespace godwit::scheduler
