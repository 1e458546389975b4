// Whether the records of a stored ledger are such as its steps write, before anything trusts them.
//
// What is looked at here would otherwise be an index, a length or a divisor. Damage of the sums
// themselves is the scrubber's to find: it compares them with their checksums.

#include <algorithm>
#include <vector>

#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

// Of numbers of transfers and positions in rings; no ledger lives to see it.
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 60U;

Failure damaged(std::string_view what, std::uint64_t slot) {
  return fail(Code::kCorrupt,
              "ledger: {} {} holds what no step writes; restore the state, or remove it as an "
              "operator's act",
              what,
              slot);
}

template <class... Sum>
bool in_field(Sum... sums) {
  return ((sums < kFieldPrime) && ...);
}

bool is_sound(const State& state, const InboxRecord& record) {
  const HeaderRecord& header = state.header();
  if (record.used == 0) {
    return record.pending == 0 && record.closed == 0;
  }
  if (record.used != 1 || record.pending > 1 || record.named > 1 ||
      record.closed > header.closings || record.last_publish > header.last_publish) {
    return false;
  }
  if (record.pending == 0) {
    return true;
  }
  const std::uint64_t count = state.shape.element_count;
  return record.first < count && record.count >= 1 && record.count <= count - record.first &&
         record.last_publish >= 1 && record.next_block >= record.first / kBlockElements &&
         record.next_block <= (record.first + record.count - 1) / kBlockElements &&
         in_field(record.pending_checksum);
}

bool numbers_are_sound(const State& state, const LaneRecord& record) {
  const std::uint64_t ring = record.ring_bytes;
  return record.used == 1 && record.generation >= 1 &&
         record.kind <= static_cast<std::uint64_t>(LaneKind::kSubscriber) && record.window >= 1 &&
         record.window <= kWindowMax && ring >= 2 * wire::kTransferBytesMax &&
         ring <= state.shape.ring_bytes && ring % kRingAlignment == 0 && record.next_k >= 1 &&
         record.next_k <= kCountMax && record.frontier < record.next_k &&
         record.next_k - 1 - record.frontier <= kWindowMax &&
         record.coverage <= state.header().last_publish &&
         record.frontier_coverage <= record.coverage && record.ring_head <= kCountMax &&
         record.ring_head % kRingAlignment == 0 && record.ring_tail <= record.ring_head &&
         record.ring_head - record.ring_tail <= ring &&
         in_field(record.cumulative,
                  record.frontier_cumulative,
                  record.checksum_s,
                  record.checksum_own,
                  record.building_checksum);
}

// Every frozen transfer lies in the ring and can be read.
bool frozen_is_sound(const State& state, std::uint32_t slot) {
  const LaneRecord& record = state.lane(slot);
  for (std::uint64_t k = record.frontier + 1; k < record.next_k; ++k) {
    const TransferRecord& entry = state.transfer(slot, k);
    if (entry.position < record.ring_tail || entry.position >= record.ring_head ||
        entry.bytes > wire::kTransferBytesMax ||
        entry.position % record.ring_bytes + entry.bytes > record.ring_bytes ||
        entry.coverage > record.coverage || !in_field(entry.checksum, entry.cumulative)) {
      return false;
    }
    const auto bytes = state.mapping.part(
        state.layout.lane_ring(slot) + (entry.position % record.ring_bytes), entry.bytes);
    const auto transfer = wire::parse_transfer(bytes, state.shape.tile_count());
    if (!transfer || transfer->header().k != k || transfer->header().to != record.to) {
      return false;
    }
  }
  return true;
}

// What is being built can be sealed and read then.
bool building_is_sound(const State& state, std::uint32_t slot) {
  const LaneRecord& record = state.lane(slot);
  if (record.building_tiles == 0) {
    return record.building_bytes == 0;
  }
  if (record.next_k - 1 - record.frontier >= kWindowMax ||
      record.building_tiles > wire::kTransferTilesMax ||
      record.building_bytes > wire::kTransferBytesMax - wire::kTrailerBytes ||
      state.building_position(slot) + wire::kTransferBytesMax - record.ring_tail >
          record.ring_bytes) {
    return false;
  }
  const auto bytes = state.building_bytes(slot);
  auto header = wire::parse_header(bytes);
  if (!header || header->to != record.to ||
      wire::header_bytes(header->origin_count) > record.building_bytes) {
    return false;
  }
  header->tile_count = static_cast<std::uint16_t>(record.building_tiles);
  header->payload_bytes =
      static_cast<std::uint32_t>(record.building_bytes - wire::header_bytes(header->origin_count));
  const auto built = bytes.first(record.building_bytes);
  std::vector<std::byte> sealed(built.begin(), built.end());
  sealed.resize(built.size() + wire::kTrailerBytes);
  wire::write_header(*header, sealed);
  wire::write_trailer(sealed);
  return wire::parse_transfer(sealed, state.shape.tile_count()).has_value();
}

bool tiles_are_sound(const State& state, std::uint32_t slot) {
  for (std::uint32_t i = 0; i < state.shape.tile_count(); ++i) {
    const LaneTileRecord& tile = state.lane_tile(slot, i);
    if (tile.generation > state.lane(slot).generation ||
        tile.clean_to > state.header().last_publish) {
      return false;
    }
  }
  return true;
}

// Its intent is looked at when it is finished.
bool is_sound(const State& state, std::uint32_t slot, const IncomingRecord& record) {
  if (record.used != 1 || record.frontier > kCountMax ||
      record.coverage_at > state.header().last_publish ||
      record.intent_bytes > wire::kTransferBytesMax ||
      (record.intent_bytes != 0 && record.intent_number > state.header().last_publish) ||
      !in_field(record.cumulative, record.checksum_applied)) {
    return false;
  }
  for (std::uint64_t k = record.frontier + 1; k <= record.frontier + kWindowMax; ++k) {
    const bool marked = ((record.window[k % kWindowMax / 64] >> (k % 64)) & 1U) != 0;
    if (marked && !in_field(state.window(slot, k).checksum, state.window(slot, k).cumulative)) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<void> State::check_records() const {
  const HeaderRecord& head = header();
  if (!in_field(head.checksum_accepted, head.checksum_p, head.checksum_r, head.checksum_detached) ||
      head.last_publish > kCountMax) {
    return damaged("the header of topic", head.topic);
  }
  for (std::uint32_t i = 0; i < shape.inboxes; ++i) {
    if (!is_sound(*this, inbox(i))) {
      return damaged("the record of publisher", i);
    }
  }
  for (std::uint32_t i = 0; i < shape.tile_count(); ++i) {
    if (std::max(tile(i).p_last, tile(i).r_last) > head.last_publish) {
      return damaged("the record of tile", i);
    }
  }
  for (std::uint32_t i = 0; i < shape.lanes_out; ++i) {
    if (lane(i).used == 0) {
      continue;
    }
    if (!numbers_are_sound(*this, lane(i)) || !building_is_sound(*this, i) ||
        !tiles_are_sound(*this, i)) {
      return damaged("the record of lane", i);
    }
    if (!frozen_is_sound(*this, i)) {
      return damaged("what is frozen for lane", i);
    }
  }
  for (std::uint32_t i = 0; i < shape.lanes_in; ++i) {
    if (incoming(i).used != 0 && !is_sound(*this, i, incoming(i))) {
      return damaged("the record of incoming lane", i);
    }
  }
  return {};
}

}  // namespace godwit::ledger
