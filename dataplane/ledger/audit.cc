// Proof: recomputing checksums from memory, and the identities that must hold at every instant.

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

double mass(std::uint64_t bits) {
  return std::bit_cast<double>(bits);
}

// Sum of |open| of one block of a lane, read from memory.
double open_mass(const State& state, std::uint32_t slot, std::uint64_t block) {
  const auto tile_index = static_cast<std::uint32_t>(block / kTileBlocks);
  const TileRecord& record = state.tile(tile_index);
  const auto at = [&state, block](bool there, std::uint64_t array) {
    return there ? state.block_at(array, block).data() : nullptr;
  };
  const std::int64_t* p = at(record.p_last != 0, state.layout.p);
  const std::int64_t* r = at(state.is_subscriber(slot) && record.r_last != 0, state.layout.r);
  const std::int64_t* s = at(state.s_valid(slot, tile_index), state.layout.lane_s(slot));
  if (p == nullptr && r == nullptr && s == nullptr) {
    return 0;
  }
  const auto open = state.workspace.open().first(kBlockElements);
  open_of(p, r, s, open);
  return block_statistics(open).mass;
}

// Whether the array under the cursor has numbers in that tile.
bool present(const State& state, std::uint32_t tile_index) {
  switch (state.scrub.array) {
    case Scrub::Array::kP:
      return state.tile(tile_index).p_last != 0;
    case Scrub::Array::kR:
      return state.tile(tile_index).r_last != 0;
    case Scrub::Array::kS:
      return state.s_valid(state.scrub.lane, tile_index);
  }
  return false;
}

std::uint64_t array_offset(const State& state) {
  switch (state.scrub.array) {
    case Scrub::Array::kP:
      return state.layout.p;
    case Scrub::Array::kR:
      return state.layout.r;
    case Scrub::Array::kS:
      return state.layout.lane_s(state.scrub.lane);
  }
  return 0;
}

// Compares the array just read to its end with what was booked, and goes to the next.
void finish_array(State& state) {
  Scrub& scrub = state.scrub;
  switch (scrub.array) {
    case Scrub::Array::kP:
      if (scrub.sum != state.header().checksum_p) {
        state.defect("P in memory is not the sum of what was merged");
      }
      scrub.array = Scrub::Array::kR;
      break;
    case Scrub::Array::kR:
      if (scrub.sum != state.header().checksum_r) {
        state.defect("R in memory is not the sum of what was applied");
      }
      scrub.array = Scrub::Array::kS;
      scrub.lane = 0;
      scrub.open = 0;
      break;
    case Scrub::Array::kS:
      if (state.lane(scrub.lane).used != 0 && scrub.sum != state.lane(scrub.lane).checksum_s) {
        state.defect("S in memory is not the sum of what was frozen");
      }
      ++scrub.lane;
      break;
  }
  scrub.block = 0;
  scrub.sum = 0;
  if (scrub.array == Scrub::Array::kS) {
    while (scrub.lane < state.shape.lanes_out && state.lane(scrub.lane).used == 0) {
      ++scrub.lane;
    }
    if (scrub.lane == state.shape.lanes_out) {
      scrub.array = Scrub::Array::kP;
      scrub.lane = 0;
      scrub.open_last = scrub.open;
      ++scrub.passes;
    }
  }
}

std::uint64_t broken_lane_identities(const State& state, std::uint32_t slot) {
  const LaneRecord& record = state.lane(slot);
  const std::uint64_t sealed_and_building = field_add(record.cumulative, record.building_checksum);
  std::uint64_t cumulative = record.frontier_cumulative;
  for (std::uint64_t k = record.frontier + 1; k < record.next_k; ++k) {
    cumulative = field_add(cumulative, state.transfer(slot, k).checksum);
  }
  return static_cast<std::uint64_t>(record.checksum_s !=
                                    field_add(sealed_and_building, record.checksum_own)) +
         static_cast<std::uint64_t>(cumulative != record.cumulative);
}

}  // namespace

void State::defect(std::string_view what) {
  ++scrub.defects;
  log::error(
      "topic {:016x} shard {}: conservation broken: {}", shape.topic.value(), shape.shard, what);
}

void Ledger::audit(std::uint32_t blocks_max) {
  State& state = *state_;
  Scrub& scrub = state.scrub;
  const std::uint64_t end = state.shape.block_count();
  const std::uint64_t passes = scrub.passes;
  for (std::uint32_t done = 0; done < blocks_max && scrub.passes == passes;) {
    // A closed lane under the cursor has nothing to read.
    const bool gone = scrub.array == Scrub::Array::kS && state.lane(scrub.lane).used == 0;
    if (gone || scrub.block >= end) {
      finish_array(state);
      ++done;
      continue;
    }
    const auto tile_index = static_cast<std::uint32_t>(scrub.block / kTileBlocks);
    if (scrub.array == Scrub::Array::kS) {
      scrub.open += open_mass(state, scrub.lane, scrub.block);
    }
    if (present(state, tile_index)) {
      const auto values = state.block_at(array_offset(state), scrub.block);
      scrub.sum = field_add(scrub.sum, state.checksum.of_block(scrub.block, values));
      ++done;
    }
    ++scrub.block;
  }
}

Conservation Ledger::conservation() {
  const State& state = *state_;
  const HeaderRecord& header = state.header();
  Conservation result;
  std::uint64_t broken = 0;

  std::uint64_t accepted = header.checksum_p;
  for (std::uint32_t i = 0; i < state.shape.inboxes; ++i) {
    if (state.inbox(i).used != 0 && state.inbox(i).pending != 0) {
      accepted = field_add(accepted, state.inbox(i).pending_checksum);
    }
  }
  broken += static_cast<std::uint64_t>(accepted != header.checksum_accepted);

  std::uint64_t applied = header.checksum_detached;
  for (std::uint32_t i = 0; i < state.shape.lanes_in; ++i) {
    const IncomingRecord& record = state.incoming(i);
    if (record.used == 0) {
      continue;
    }
    applied = field_add(applied, record.checksum_applied);
    std::uint64_t marked = record.cumulative;
    for (std::uint64_t k = record.frontier + 1; k <= record.frontier + kWindowMax; ++k) {
      if (((record.window[k % kWindowMax / 64] >> (k % 64)) & 1U) != 0) {
        marked = field_add(marked, state.window(i, k).checksum);
      }
    }
    broken += static_cast<std::uint64_t>(marked != record.checksum_applied);
  }
  broken += static_cast<std::uint64_t>(applied != header.checksum_r);

  for (std::uint32_t i = 0; i < state.shape.lanes_out; ++i) {
    const LaneRecord& record = state.lane(i);
    if (record.used == 0) {
      continue;
    }
    broken += broken_lane_identities(state, i);
    for (std::uint64_t k = record.frontier + 1; k < record.next_k; ++k) {
      result.in_flight += state.received(i, k) ? 0 : mass(state.transfer(i, k).mass);
    }
  }
  result.defects = state.scrub.defects + broken;
  result.scrub_passes = state.scrub.passes;
  result.published = mass(header.mass_published);
  result.sent = mass(header.mass_sent);
  result.applied = mass(header.mass_applied);
  result.open = state.scrub.open_last;
  result.detached = mass(header.mass_detached);
  result.detached_checksum = header.checksum_detached;
  result.checksum_published = header.checksum_accepted;
  result.checksum_applied = header.checksum_r;
  return result;
}

}  // namespace godwit::ledger
