// What the world demands: at every instant, and after everything has drained.
#include <algorithm>
#include <functional>

#include "dataplane/ledger/field_checksum.h"
#include "tests/dataplane/ledger/world.h"

namespace godwit::ledger::test {

// What must hold at every instant.
void World::check_now() {
  std::vector<std::int64_t> tile(kTileElements);
  for (std::size_t i = 0; i < kSites && wrong_.empty(); ++i) {
    Ledger& ledger = *nodes_[i].site->ledger;
    if (ledger.conservation().defects != 0) {
      wrong("site " + std::to_string(i) + " reports a defect");
    }
    if (ledger.bytes_used() > ledger.bytes_bound()) {
      wrong("site " + std::to_string(i) + " occupies more than its bound");
    }
    for (std::size_t j = 0; j < kSites; ++j) {
      if (j == i) {
        continue;
      }
      // Covered means applied: each witness was published once and by one site.
      const std::uint64_t covered = ledger.coverage(nodes_[i].incomings[j]);
      for (const Witness& witness : nodes_[j].witnesses) {
        if (witness.number > covered) {
          continue;
        }
        ledger.read_sum(static_cast<std::uint32_t>(witness.element / kTileElements), tile);
        if (tile[witness.element % kTileElements] != witness.value) {
          wrong("coverage of publish " + std::to_string(witness.number) + " overtook its data");
        }
      }
    }
  }
}

void World::drain() {
  calm_ = true;
  for (int round = 0; round < 60 && wrong_.empty(); ++round) {
    bool drained = true;
    for (std::size_t i = 0; i < kSites; ++i) {
      for (Publisher& publisher : nodes_[i].publishers) {
        if (publisher.unsafe) {
          finish_publish(i, publisher);
        }
        drained = drained && !publisher.unsafe;
      }
      call(i, [](Ledger& ledger) { ledger.merge_some(1000); });
      for (std::size_t j = 0; j < kSites; ++j) {
        if (j == i || !wrong_.empty()) {
          continue;
        }
        for (std::uint32_t tile = 0; tile < 3; ++tile) {
          (*nodes_[i].site)->settle(nodes_[i].lanes[j], tile);
        }
        freeze(i, nodes_[i].lanes[j], true);
        for (int copy = 0; copy < 4 && wrong_.empty(); ++copy) {
          send(i, j);
        }
        while (!network_.empty() && wrong_.empty()) {
          deliver(random_.below(network_.size()));
        }
        receipt(i, j);
      }
      if (wrong_.empty()) {
        for (std::uint32_t tile = 0; tile < 3; ++tile) {
          (*nodes_[i].site)->settle(nodes_[i].subscriber.lane, tile);
        }
        serve_subscriber(i);
      }
    }
    // Asked only after everybody had a turn: a late turn opens others' lanes again.
    for (std::size_t i = 0; i < kSites && wrong_.empty(); ++i) {
      Ledger& ledger = *nodes_[i].site->ledger;
      for (const LaneIndex lane : ledger.lanes()) {
        drained = drained && ledger.drained(lane);
      }
    }
    if (drained) {
      return;
    }
  }
  wrong("does not drain");
}

void World::check_end() {
  for (std::size_t i = 0; i < kSites && wrong_.empty(); ++i) {
    Node& node = nodes_[i];
    std::vector<std::int64_t> expected = node.detached;
    for (const Node& other : nodes_) {
      std::transform(expected.begin(),
                     expected.end(),
                     other.published.begin(),
                     expected.begin(),
                     std::plus<>());
    }
    const auto sum = node.site->sum();
    if (sum != expected) {
      const auto at = std::mismatch(sum.begin(), sum.end(), expected.begin());
      wrong("site " + std::to_string(i) + " element " + std::to_string(at.first - sum.begin()) +
            ": " + std::to_string(*at.first) + " instead of " + std::to_string(*at.second));
    }
    if (node.subscriber.sum != expected) {
      wrong("the subscriber of site " + std::to_string(i) + " has another sum");
    }
    const FieldChecksum checksum(node.site->shape.topic, node.site->shape.shard);
    const Conservation proof = (*node.site)->conservation();
    if (proof.detached_checksum != checksum.of_range(0, node.detached)) {
      wrong("site " + std::to_string(i) + " booked another detached mass");
    }
    if (proof.checksum_published != checksum.of_range(0, node.published)) {
      wrong("site " + std::to_string(i) + " booked another published sum");
    }
    node.site->scrub();
    node.site->scrub();
  }
  check_now();
}

}  // namespace godwit::ledger::test
