// The tournament tree against a plain search.
#include "dataplane/ledger/min_tree.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::ledger {
namespace {

RC_GTEST_PROP(MinTreeLaw, KnowsTheLeast, (std::uint64_t seed)) {
  Random random(seed);
  const auto slots = static_cast<std::uint32_t>(1 + random.below(40));
  MinTree tree(slots);
  std::vector<std::uint64_t> plain(slots, MinTree::kNone);
  for (int i = 0; i < 200; ++i) {
    const auto slot = static_cast<std::uint32_t>(random.below(slots));
    plain[slot] = random.chance(0.3) ? MinTree::kNone : random.below(1000);
    tree.set(slot, plain[slot]);
    RC_ASSERT(tree.least() == *std::min_element(plain.begin(), plain.end()));
    RC_ASSERT(tree.at(slot) == plain[slot]);
  }
  tree.clear();
  RC_ASSERT(tree.least() == MinTree::kNone);
}

}  // namespace
}  // namespace godwit::ledger
