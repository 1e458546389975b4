// What is frozen and not yet receipted: sending again, receipts, coverage, and when all is drained.

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

std::span<const std::byte> Ledger::frozen(LaneIndex lane, std::uint64_t k) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const LaneRecord& record = state_->lane(lane.value());
  if (record.used == 0 || k <= record.frontier || k >= record.next_k) {
    return {};
  }
  const TransferRecord& entry = state_->transfer(lane.value(), k);
  return state_->mapping.part(
      state_->layout.lane_ring(lane.value()) + (entry.position % record.ring_bytes), entry.bytes);
}

std::optional<std::uint64_t> Ledger::next_unreceipted(LaneIndex lane, std::uint64_t after) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const LaneRecord& record = state_->lane(lane.value());
  for (std::uint64_t k = std::max(after, record.frontier) + 1; k < record.next_k; ++k) {
    if (!state_->received(lane.value(), k)) {
      return k;
    }
  }
  return std::nullopt;
}

Result<Receipted> Ledger::on_receipt(LaneIndex lane, const Receipt& receipt) {
  State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  const std::uint32_t slot = lane.value();
  LaneRecord& record = state.lane(slot);
  state.newly.clear();
  Receipted result;
  if (record.used == 0) {
    return fail(Code::kNotFound, "lane {}: closed", slot);
  }
  if (receipt.frontier >= record.next_k) {
    return fail(Code::kCorrupt,
                "lane {}: a receipt for transfer {}, {} were sent",
                slot,
                receipt.frontier,
                record.next_k - 1);
  }
  const auto has = [&receipt](std::uint64_t k) {
    const std::uint64_t bit = k - receipt.frontier - 1;
    return bit < kWindowMax && ((receipt.window[bit / 64] >> (bit % 64)) & 1U) != 0;
  };
  for (std::uint64_t k = record.next_k; k <= receipt.frontier + kWindowMax; ++k) {
    if (has(k)) {
      return fail(Code::kCorrupt, "lane {}: a receipt for transfer {}, never sent", slot, k);
    }
  }
  if (receipt.frontier < record.frontier) {
    result.frontier = record.frontier;
    result.coverage = PublishNumber(state.coverage_receipted(slot));
    return result;  // overtaken by a later one
  }
  const bool moved = receipt.frontier > record.frontier;
  const TransferRecord& at_frontier = state.transfer(slot, receipt.frontier);
  const std::uint64_t expected = moved ? at_frontier.cumulative : record.frontier_cumulative;
  if (receipt.checksum != expected && !GODWIT_MUTANT(kSkipCumulativeCheck)) {
    if (record.quarantined == 0) {
      RedoStep step(state.redo);
      step.put_word(record.quarantined, 1);
      step.run();
      state.defect("a receiver's cumulative checksum is not the sender's");
    }
    return fail(Code::kCorrupt,
                "lane {}: checksum at transfer {} is {:x} at the receiver, {:x} here",
                slot,
                receipt.frontier,
                receipt.checksum,
                expected);
  }
  LaneCache& cache = state.lane_caches[slot];
  for (std::uint64_t k = record.frontier + 1; k < record.next_k; ++k) {
    std::uint64_t& word = cache.received[k % kWindowMax / 64];
    const std::uint64_t bit = std::uint64_t{1} << (k % 64);
    if ((word & bit) == 0 && (k <= receipt.frontier || has(k))) {
      word |= bit;
      state.newly.push_back(k);
      result.bytes += state.transfer(slot, k).bytes;
    }
  }
  if (moved) {
    const bool rest = receipt.frontier + 1 < record.next_k;
    RedoStep step(state.redo);
    step.put_word(record.frontier_coverage, at_frontier.coverage);
    step.put_word(record.frontier_cumulative, at_frontier.cumulative);
    step.put_word(record.frontier, receipt.frontier);
    step.put_word(record.ring_tail,
                  rest ? state.transfer(slot, receipt.frontier + 1).position : record.ring_head);
    step.run();
  }
  result.frontier = record.frontier;
  result.coverage = PublishNumber(state.coverage_receipted(slot));
  result.newly = state.newly;
  return result;
}

PublishNumber Ledger::coverage(LaneIndex lane) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  return PublishNumber(state_->coverage(lane.value()));
}

bool Ledger::drained(LaneIndex lane) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const LaneRecord& record = state_->lane(lane.value());
  return state_->lane_caches[lane.value()].inexact_count == 0 && record.building_tiles == 0 &&
         record.frontier + 1 == record.next_k && state_->oldest_pending() < 0;
}

LaneInfo Ledger::lane(LaneIndex lane) const {
  const State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  const std::uint32_t slot = lane.value();
  const LaneRecord& record = state.lane(slot);
  LaneInfo info;
  info.key = {.kind = static_cast<LaneKind>(record.kind),
              .to = record.to,
              .to_incarnation = Incarnation::from_packed(record.to_incarnation)};
  info.own_publisher = PublisherId(record.own_publisher);
  info.next_k = record.next_k;
  info.frontier = record.frontier;
  for (std::uint64_t k = record.frontier + 1; k < record.next_k; ++k) {
    if (!state.received(slot, k)) {
      ++info.unreceipted;
      info.unreceipted_bytes += state.transfer(slot, k).bytes;
    }
  }
  info.ring_bytes = record.ring_head - record.ring_tail + record.building_bytes;
  info.checksum_frozen = record.cumulative;
  info.coverage = PublishNumber(state.coverage(slot));
  info.coverage_receipted = PublishNumber(state.coverage_receipted(slot));
  info.quarantined = record.quarantined != 0;
  return info;
}

}  // namespace godwit::ledger
