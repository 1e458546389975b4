// Whose turn it is: shares of a link by weight, of tenants and of what is within them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Start-time fair queueing (Goyal, Vin and Cheng 1996), hierarchical: every node has a weight among
// its siblings, leaves are served. While two siblings have something to send, what each is served
// divided by its weight differs by less than one service of either, whatever the rate does; who has
// nothing earns nothing, and who comes back begins where the others are.
//
// Thread: one worker. Memory: 48 B a node; none is allocated but by `add`. Time: O(siblings) a
// level.
class FairTree {
 public:
  using Node = std::uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr std::uint32_t kWeightMax = 1'000'000;
  static constexpr Bytes kDebtMax = Bytes::mib(16);  // Chosen: seconds of a slow link.

  FairTree();

  // A node below `parent`, which must not be a leaf that was served. `weight` is cut to
  // [1, kWeightMax].
  Node add(Node parent, std::uint32_t weight);
  void set_weight(Node node, std::uint32_t weight);
  // A leaf has something to send, or has not.
  void set_ready(Node leaf, bool ready);
  // The leaf that is served next; nullopt when none is ready.
  [[nodiscard]] std::optional<Node> next() const;
  // `leaf` was served so much: next()'s, or another one that went before its turn. That one waits
  // for it afterwards, but for no more than kDebtMax.
  void charge(Node leaf, Bytes bytes);

  [[nodiscard]] bool is_ready(Node node) const { return nodes_[node].ready > 0; }

 private:
  // Virtual time in bytes · 2^16 of a node of weight 1; only differences below 2^63 mean anything.
  using Virtual = std::uint64_t;
  struct State {
    Node parent = kRoot;
    std::uint32_t weight = 1;
    std::uint32_t ready = 0;  // Leaves at or below it.
    Virtual start = 0;        // Of its next service, among its siblings.
    Virtual now = 0;          // Of its children: the start of the one that was served last.
    std::vector<Node> children;
  };
  static bool is_before(Virtual a, Virtual b) { return static_cast<std::int64_t>(a - b) < 0; }
  [[nodiscard]] Node first_of(const State& parent) const;

  std::vector<State> nodes_;
};

}  // namespace godwit::scheduler
