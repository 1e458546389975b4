// What start-time fair queueing promises: shares by weight, whoever comes and goes.
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "scheduler/shares/fair_tree.h"

namespace godwit::scheduler {
namespace {

constexpr std::uint64_t kQuantum = 64 * 1024;
// Of virtual time: a weight's share of a service is rounded down to 2^-16 bytes each time.
constexpr double kRounding = 1.0;

struct Leaf {
  FairTree::Node node = FairTree::kRoot;
  std::uint32_t weight = 1;
  std::uint64_t served = 0;
};

// Of two siblings that had something all the time since both had served nothing.
void expect_fair(const Leaf& a, const Leaf& b) {
  const auto of_weight = [](const Leaf& leaf) {
    return static_cast<double>(leaf.served) / leaf.weight;
  };
  const double bound = static_cast<double>(kQuantum) / a.weight +
                       static_cast<double>(kQuantum) / b.weight + kRounding;
  RC_ASSERT(std::fabs(of_weight(a) - of_weight(b)) <= bound);
}

RC_GTEST_PROP(FairTree, SharesByWeightWithinAServiceOfEach, ()) {
  FairTree tree;
  std::vector<Leaf> leaves(*rc::gen::inRange<std::size_t>(2, 7));
  for (Leaf& leaf : leaves) {
    leaf.weight = *rc::gen::element(1U, 2U, 5U, 60U, 1000U);
    leaf.node = tree.add(FairTree::kRoot, leaf.weight);
  }
  // The first two always have something; the others come and go.
  tree.set_ready(leaves[0].node, true);
  tree.set_ready(leaves[1].node, true);
  for (int step = 0; step < 300; ++step) {
    if (leaves.size() > 2 && *rc::gen::inRange(0, 5) == 0) {
      const auto other = *rc::gen::inRange<std::size_t>(2, leaves.size());
      tree.set_ready(leaves[other].node, *rc::gen::arbitrary<bool>());
    }
    const auto next = tree.next();
    RC_ASSERT(next.has_value());
    RC_ASSERT(tree.is_ready(*next));
    const auto bytes = *rc::gen::inRange<std::uint64_t>(1, kQuantum + 1);
    tree.charge(*next, Bytes(bytes));
    for (Leaf& leaf : leaves) {
      leaf.served += leaf.node == *next ? bytes : 0;
    }
    expect_fair(leaves[0], leaves[1]);
  }
}

// Who comes back gets its share from then on, nothing for the time that it was away, and takes
// nothing from the others' shares.
RC_GTEST_PROP(FairTree, WhoComesBackBeginsWhereTheOthersAre, ()) {
  FairTree tree;
  std::vector<Leaf> leaves(3);
  for (Leaf& leaf : leaves) {
    leaf.weight = *rc::gen::element(1U, 3U, 10U);
    leaf.node = tree.add(FairTree::kRoot, leaf.weight);
  }
  const auto serve = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const auto next = tree.next().value();
      tree.charge(next, Bytes(kQuantum));
      for (Leaf& leaf : leaves) {
        leaf.served += leaf.node == next ? kQuantum : 0;
      }
    }
  };
  tree.set_ready(leaves[0].node, true);
  tree.set_ready(leaves[1].node, true);
  serve(*rc::gen::inRange(0, 200));
  if (*rc::gen::arbitrary<bool>()) {  // all were away for a while
    tree.set_ready(leaves[0].node, false);
    tree.set_ready(leaves[1].node, false);
    tree.set_ready(leaves[0].node, true);
    tree.set_ready(leaves[1].node, true);
  }
  tree.set_ready(leaves[2].node, true);
  for (Leaf& leaf : leaves) {
    leaf.served = 0;
  }
  for (int i = 0; i < 100; ++i) {
    serve(1);
    // One service of each may be owed from before.
    for (const Leaf& other : {leaves[0], leaves[1]}) {
      const double difference = static_cast<double>(other.served) / other.weight -
                                static_cast<double>(leaves[2].served) / leaves[2].weight;
      const double one = static_cast<double>(kQuantum) / other.weight +
                         static_cast<double>(kQuantum) / leaves[2].weight;
      RC_ASSERT(std::fabs(difference) <= 2 * one + kRounding);
    }
  }
}

// Of a tree: each level is fair by itself, so a tenant's share does not grow with its classes.
RC_GTEST_PROP(FairTree, SharesAtEveryLevel, ()) {
  FairTree tree;
  std::vector<Leaf> tenants(2);
  std::vector<Leaf> classes;
  std::vector<std::size_t> tenant_of;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    tenants[i].weight = *rc::gen::element(1U, 2U, 7U);
    tenants[i].node = tree.add(FairTree::kRoot, tenants[i].weight);
    for (int count = *rc::gen::inRange(1, 4); count > 0; --count) {
      const auto weight = *rc::gen::element(60U, 35U, 5U);
      classes.push_back({tree.add(tenants[i].node, weight), weight, 0});
      tenant_of.push_back(i);
      tree.set_ready(classes.back().node, true);
    }
  }
  for (int step = 0; step < 500; ++step) {
    const auto next = tree.next().value();
    const auto bytes = *rc::gen::inRange<std::uint64_t>(1, kQuantum + 1);
    tree.charge(next, Bytes(bytes));
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (classes[i].node == next) {
        classes[i].served += bytes;
        tenants[tenant_of[i]].served += bytes;
      }
    }
    expect_fair(tenants[0], tenants[1]);
    for (std::size_t i = 0; i < classes.size(); ++i) {
      for (std::size_t j = i + 1; j < classes.size(); ++j) {
        if (tenant_of[i] == tenant_of[j]) {
          expect_fair(classes[i], classes[j]);
        }
      }
    }
  }
}

// What went before its turn is paid for: in the long run shares are by weight all the same.
RC_GTEST_PROP(FairTree, ChargesWhatWentBeforeItsTurn, ()) {
  FairTree tree;
  std::vector<Leaf> leaves(2);
  for (Leaf& leaf : leaves) {
    leaf.weight = *rc::gen::element(1U, 3U);
    leaf.node = tree.add(FairTree::kRoot, leaf.weight);
    tree.set_ready(leaf.node, true);
  }
  std::uint64_t early = *rc::gen::inRange<std::uint64_t>(0, FairTree::kDebtMax.count() / 2);
  leaves[0].served += early;
  for (; early > 0; early -= std::min(early, kQuantum)) {
    tree.charge(leaves[0].node, Bytes(std::min(early, kQuantum)));
  }
  for (int step = 0; step < 2'000; ++step) {
    const auto next = tree.next().value();
    tree.charge(next, Bytes(kQuantum));
    leaves[next == leaves[0].node ? 0 : 1].served += kQuantum;
  }
  expect_fair(leaves[0], leaves[1]);
}

}  // namespace
}  // namespace godwit::scheduler
