#include "scheduler/shares/fair_tree.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {
namespace {

constexpr unsigned kFraction = 16;

}  // namespace

FairTree::FairTree() : nodes_(1) {}

FairTree::Node FairTree::add(Node parent, std::uint32_t weight) {
  GODWIT_ASSERT(parent < nodes_.size());
  GODWIT_ASSERT(!nodes_[parent].children.empty() || nodes_[parent].ready == 0);
  const auto node = static_cast<Node>(nodes_.size());
  State state;
  state.parent = parent;
  state.weight = std::clamp(weight, 1U, kWeightMax);
  state.start = nodes_[parent].now;
  nodes_.push_back(std::move(state));
  nodes_[parent].children.push_back(node);
  return node;
}

void FairTree::set_weight(Node node, std::uint32_t weight) {
  nodes_[node].weight = std::clamp(weight, 1U, kWeightMax);
}

void FairTree::set_ready(Node leaf, bool ready) {
  GODWIT_ASSERT(leaf != kRoot && nodes_[leaf].children.empty());
  if (is_ready(leaf) == ready) {
    return;
  }
  for (Node node = leaf;; node = nodes_[node].parent) {
    State& state = nodes_[node];
    const bool was_ready = state.ready > 0;
    state.ready += ready ? 1U : -1U;
    if (node == kRoot) {
      return;
    }
    // Who was away has no credit from then.
    const Virtual now = nodes_[state.parent].now;
    if (ready && !was_ready && is_before(state.start, now)) {
      state.start = now;
    }
  }
}

FairTree::Node FairTree::first_of(const State& parent) const {
  Node first = kRoot;
  for (const Node child : parent.children) {
    const bool is_earlier = first == kRoot || is_before(nodes_[child].start, nodes_[first].start);
    if (nodes_[child].ready > 0 && is_earlier) {
      first = child;
    }
  }
  return first;
}

std::optional<FairTree::Node> FairTree::next() const {
  if (!is_ready(kRoot)) {
    return std::nullopt;
  }
  Node node = kRoot;
  while (!nodes_[node].children.empty()) {
    node = first_of(nodes_[node]);
  }
  return node;
}

void FairTree::charge(Node leaf, Bytes bytes) {
  const std::uint64_t debt_max = kDebtMax.count() << kFraction;
  const std::uint64_t service = std::min(bytes, kDebtMax).count() << kFraction;
  for (Node node = leaf; node != kRoot; node = nodes_[node].parent) {
    State& state = nodes_[node];
    State& parent = nodes_[state.parent];
    // The virtual time is the start of what is served; who goes before its turn does not move it.
    if (first_of(parent) == node) {
      parent.now = state.start;
    }
    const Virtual latest = parent.now + debt_max / state.weight;
    const Virtual start = state.start + service / state.weight;
    state.start = is_before(latest, start) ? latest : start;
  }
}

}  // namespace godwit::scheduler
