// The life of incoming lanes: opening, receipts, coverage, and what is booked when a sender is
// lost.

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

// Replaces a lane's record and books what the lane had applied as detached: one atomic step.
void State::detach(std::uint32_t slot, const IncomingRecord& successor) {
  IncomingRecord& record = incoming(slot);
  RedoStep step(redo);
  if (record.used != 0 && !GODWIT_MUTANT(kDetachedNotBooked)) {
    step.put_word(header().checksum_detached,
                  field_add(header().checksum_detached, record.checksum_applied));
    step.put_word(header().mass_detached,
                  add_mass(header().mass_detached, std::bit_cast<double>(record.mass_applied)));
  }
  step.put(offset_of(&record), std::as_bytes(std::span(&successor, 1)));
  step.run();
}

Result<IncomingIndex> Ledger::open_incoming(SiteId from,
                                            Incarnation from_incarnation,
                                            Incarnation own) {
  State& state = *state_;
  if (!same_life(own.packed(), state.header().incarnation)) {
    return fail(Code::kRefused,
                "lane from {:08x}: meant for incarnation {}, this is {}",
                from.value(),
                own.counter,
                incarnation().counter);
  }
  int slot = -1;
  int free_slot = -1;
  for (std::uint32_t i = state.shape.lanes_in; i-- > 0;) {
    if (state.incoming(i).used == 0) {
      free_slot = static_cast<int>(i);
    } else if (state.incoming(i).from == from.value()) {
      slot = static_cast<int>(i);
    }
  }
  if (slot >= 0) {
    const IncomingRecord& record = state.incoming(static_cast<std::uint32_t>(slot));
    if (same_life(record.from_incarnation, from_incarnation.packed())) {
      return IncomingIndex(static_cast<std::uint32_t>(slot));
    }
    if (Incarnation::from_packed(record.from_incarnation).counter > from_incarnation.counter) {
      return fail(Code::kRefused,
                  "lane from {:08x}: incarnation {} is over, {} lives",
                  from.value(),
                  from_incarnation.counter,
                  Incarnation::from_packed(record.from_incarnation).counter);
    }
  } else {
    slot = free_slot;
  }
  if (slot < 0) {
    return fail(Code::kUnsupported,
                "lane from {:08x}: all {} incoming lanes are taken",
                from.value(),
                state.shape.lanes_in);
  }
  const auto index = static_cast<std::uint32_t>(slot);
  if (auto room =
          state.mapping.reserve(state.layout.incoming_window(index), state.layout.incoming_stride);
      !room) {
    return Failure(room.error());
  }
  IncomingRecord fresh{};
  fresh.used = 1;
  fresh.from = from.value();
  fresh.from_incarnation = from_incarnation.packed();
  state.detach(index, fresh);
  return IncomingIndex(index);
}

void Ledger::close_incoming(IncomingIndex incoming) {
  State& state = *state_;
  GODWIT_ASSERT(incoming.value() < state.shape.lanes_in);
  if (state.incoming(incoming.value()).used != 0) {
    state.detach(incoming.value(), IncomingRecord{});
  }
}

std::vector<IncomingIndex> Ledger::incomings() const {
  std::vector<IncomingIndex> open;
  for (std::uint32_t i = 0; i < state_->shape.lanes_in; ++i) {
    if (state_->incoming(i).used != 0) {
      open.emplace_back(i);
    }
  }
  return open;
}

IncomingInfo Ledger::incoming(IncomingIndex incoming) const {
  GODWIT_ASSERT(incoming.value() < state_->shape.lanes_in);
  const IncomingRecord& record = state_->incoming(incoming.value());
  return {.from = SiteId(static_cast<std::uint32_t>(record.from)),
          .from_incarnation = Incarnation::from_packed(record.from_incarnation),
          .frontier = record.frontier,
          .checksum_applied = record.checksum_applied,
          .coverage = record.coverage,
          .coverage_at = PublishNumber(record.coverage_at),
          .quarantined = record.quarantined != 0};
}

Receipt Ledger::receipt(IncomingIndex incoming) const {
  GODWIT_ASSERT(incoming.value() < state_->shape.lanes_in);
  const IncomingRecord& record = state_->incoming(incoming.value());
  Receipt receipt = {.frontier = record.frontier, .checksum = record.cumulative, .window = {}};
  // Both are rings of 1,024 bits; only their origins differ.
  for (std::uint64_t i = 0; i < kWindowMax; ++i) {
    const std::uint64_t k = record.frontier + 1 + i;
    const std::uint64_t bit = (record.window[k % kWindowMax / 64] >> (k % 64)) & 1U;
    receipt.window[i / 64] |= bit << (i % 64);
  }
  return receipt;
}

std::uint64_t Ledger::coverage(IncomingIndex incoming) const {
  GODWIT_ASSERT(incoming.value() < state_->shape.lanes_in);
  return state_->incoming(incoming.value()).coverage;
}

bool Ledger::on_coverage(IncomingIndex incoming, std::uint64_t k, std::uint64_t coverage) {
  State& state = *state_;
  GODWIT_ASSERT(incoming.value() < state.shape.lanes_in);
  IncomingRecord& record = state.incoming(incoming.value());
  if (record.used == 0 || record.frontier < k) {
    return false;
  }
  if (coverage > record.coverage) {
    RedoStep step(state.redo);
    step.put_word(record.coverage, coverage);
    step.put_word(record.coverage_at, state.header().last_publish);
    step.run();
  }
  return true;
}

}  // namespace godwit::ledger
