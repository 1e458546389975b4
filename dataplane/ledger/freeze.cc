// Freezing: building numbered transfers in a lane's ring.

#include <algorithm>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

constexpr std::uint64_t align(std::uint64_t position) {
  return (position + kRingAlignment - 1) / kRingAlignment * kRingAlignment;
}

bool all_zero(std::span<const std::int64_t> values) {
  return std::all_of(values.begin(), values.end(), [](std::int64_t x) { return x == 0; });
}

struct Removed {
  std::uint64_t checksum = 0;
  double mass = 0;
};

}  // namespace

// A transfer lies contiguous: where the ring's end is too near, it begins at the start.
std::uint64_t State::building_position(std::uint32_t slot) const {
  const LaneRecord& record = lane(slot);
  const std::uint64_t in_ring = record.ring_head % record.ring_bytes;
  return in_ring + wire::kTransferBytesMax > record.ring_bytes
             ? record.ring_head + (record.ring_bytes - in_ring)
             : record.ring_head;
}

std::span<std::byte> State::building_bytes(std::uint32_t slot) const {
  return mapping.part(layout.lane_ring(slot) + (building_position(slot) % lane(slot).ring_bytes),
                      wire::kTransferBytesMax);
}

std::uint64_t State::coverage_frozen(std::uint32_t slot) const {
  const std::uint64_t dirty = lane_caches[slot].dirty_since.least();
  const std::uint64_t merged = merged_through();
  const std::uint64_t now = dirty == MinTree::kNone ? merged : std::min(dirty - 1, merged);
  // After a recovery the dirty tiles are known less exactly; what was announced still holds.
  return std::max(now, lane(slot).coverage);
}

std::uint64_t State::coverage(std::uint32_t slot) const {
  return lane(slot).building_tiles != 0 ? lane(slot).coverage : coverage_frozen(slot);
}

std::uint64_t State::coverage_receipted(std::uint32_t slot) const {
  const LaneRecord& record = lane(slot);
  return record.frontier + 1 == record.next_k ? coverage(slot) : record.frontier_coverage;
}

bool Ledger::window_full(LaneIndex lane) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const LaneRecord& record = state_->lane(lane.value());
  const std::uint64_t end = state_->building_position(lane.value()) + wire::kTransferBytesMax;
  return record.next_k - 1 - record.frontier >= record.window ||
         end - record.ring_tail > record.ring_bytes;
}

bool Ledger::window_half_full(LaneIndex lane) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const LaneRecord& record = state_->lane(lane.value());
  return record.next_k - 1 - record.frontier >= record.window / 2;
}

Result<void> Ledger::begin_transfer(LaneIndex lane, const TransferFields& fields) {
  State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  const std::uint32_t slot = lane.value();
  const LaneRecord& record = state.lane(slot);
  if (record.used == 0 || record.quarantined != 0) {
    return fail(Code::kRefused, "lane {}: closed or in quarantine", slot);
  }
  if (fields.origins.size() > wire::kOriginsMax) {
    return fail(Code::kInvalid,
                "transfer: {} origins, at most {}",
                fields.origins.size(),
                wire::kOriginsMax);
  }
  if (record.building_tiles != 0 && !GODWIT_MUTANT(kAddToFrozen)) {
    return fail(Code::kInvalid, "lane {}: seal the transfer before the next begins", slot);
  }
  if (window_full(lane)) {
    return fail(Code::kFull, "lane {}: the window is full", slot);
  }
  const std::uint64_t position = state.building_position(slot) % record.ring_bytes;
  if (auto room =
          state.mapping.reserve(state.layout.lane_ring(slot) + position, wire::kTransferBytesMax);
      !room) {
    return room;
  }
  wire::TransferHeader header;
  header.flags = state.is_subscriber(slot) ? wire::kFlagSubscriber : std::uint8_t{0};
  if (fields.short_records && state.shape.tile_count() <= wire::kShortTilesMax) {
    header.flags = static_cast<std::uint8_t>(header.flags | wire::kFlagShortRecords);
  }
  header.topic = state.shape.topic;
  header.shard = state.shape.shard;
  header.traffic_class = fields.traffic_class;
  header.tenant = fields.tenant;
  header.from = state.shape.site;
  header.to = record.to;
  header.from_incarnation = incarnation();
  header.to_incarnation = Incarnation::from_packed(record.to_incarnation);
  header.k = record.next_k;
  header.remaining_deadline_ms = fields.remaining_deadline_ms;
  header.origin_count = static_cast<std::uint8_t>(fields.origins.size());
  std::copy(fields.origins.begin(), fields.origins.end(), header.origins.begin());
  wire::write_header(header, state.building_bytes(slot));
  LaneCache& cache = state.lane_caches[slot];
  cache.begun = true;
  cache.header_bytes = wire::header_bytes(header.origin_count);
  cache.flags = header.flags;
  cache.building.clear();
  return {};
}

std::span<std::byte> Ledger::coded_space(LaneIndex lane) {
  State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  const LaneCache& cache = state.lane_caches[lane.value()];
  if (!cache.begun || cache.building.size() >= wire::kTransferTilesMax) {
    return {};
  }
  const LaneRecord& record = state.lane(lane.value());
  const std::uint64_t used =
      record.building_bytes == 0 ? cache.header_bytes : record.building_bytes;
  const std::uint64_t overhead = used + wire::kTileRecordBytes + wire::kTrailerBytes;
  if (overhead >= wire::kTransferBytesMax) {
    return {};
  }
  return state.building_bytes(lane.value())
      .subspan(used + wire::kTileRecordBytes, wire::kTransferBytesMax - overhead);
}

namespace {

// The after-image of S += removed: of each block the lines that change; a tile whose S is of
// another generation is written as a whole. An error names what would overflow.
Result<Removed> put_removed(State& state,
                            RedoStep& step,
                            std::uint32_t slot,
                            std::uint32_t tile,
                            std::span<const std::int64_t> removed) {
  const bool valid = state.s_valid(slot, tile);
  const bool stale = !valid && state.lane_tile(slot, tile).generation != 0;
  // A peer adds up S of its senders: twice the door's bound leaves room for all of them. Towards a
  // subscriber S follows P + R, which fits the type.
  const auto limit = state.is_subscriber(slot)
                         ? static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                         : 2 * static_cast<std::uint64_t>(state.shape.magnitude_max());
  const std::uint64_t s_array = state.layout.lane_s(slot);
  Removed total;
  for (std::uint32_t i = 0; i < kTileBlocks; ++i) {
    const auto values =
        removed.subspan(std::size_t{i} * kBlockElements, kBlockElements).first<kBlockElements>();
    const BlockChange q = stale ? whole(values) : touched(values);
    if (q.is_empty()) {
      continue;
    }
    const std::uint64_t block = (std::uint64_t{tile} * kTileBlocks) + i;
    const std::int64_t* s = valid ? state.block_at(s_array, block).data() : nullptr;
    const auto image = step.image_lines(s_array + (block * kBlockBytes), q.lines);
    const auto [statistics, sum] = state.checksum.add(block, s, q, image.data());
    std::uint64_t& bound = state.lane_caches[slot].s_bounds[block];
    bound = valid ? bound : 0;
    if (!sums_within(bound, s, values, statistics.max, limit)) {
      return fail(Code::kInvalid, "transfer: block {} would take S beyond {}", block, limit);
    }
    total.mass += statistics.mass;
    total.checksum = field_add(total.checksum, sum);
  }
  return total;
}

Result<void> check_append(const State& state,
                          std::uint32_t slot,
                          std::uint32_t tile,
                          std::span<const std::byte> coded,
                          std::span<const std::int64_t> removed) {
  const LaneCache& cache = state.lane_caches[slot];
  if (!cache.begun) {
    return fail(Code::kInvalid, "lane {}: append before begin_transfer", slot);
  }
  if (tile >= state.shape.tile_count() || removed.size() != kTileElements) {
    return fail(Code::kInvalid,
                "transfer: tile {} of {}, {} integers of {}",
                tile,
                state.shape.tile_count(),
                removed.size(),
                kTileElements);
  }
  if (std::find(cache.building.begin(), cache.building.end(), tile) != cache.building.end()) {
    return fail(Code::kInvalid, "transfer: tile {} is in it already", tile);
  }
  const LaneRecord& record = state.lane(slot);
  const std::uint64_t used =
      record.building_bytes == 0 ? cache.header_bytes : record.building_bytes;
  if (cache.building.size() >= wire::kTransferTilesMax ||
      used + wire::kTileRecordBytes + coded.size() + wire::kTrailerBytes >
          wire::kTransferBytesMax) {
    return fail(Code::kFull, "transfer: no room for {} more bytes", coded.size());
  }
  const std::uint64_t first = std::uint64_t{tile} * kTileElements;
  if (state.shape.element_count - first < kTileElements &&
      !all_zero(removed.subspan(state.shape.element_count - first))) {
    return fail(Code::kInvalid, "transfer: tile {} has integers past the last element", tile);
  }
  return {};
}

}  // namespace

Result<void> Ledger::append(LaneIndex lane,
                            std::uint32_t tile,
                            std::uint8_t codec,
                            std::span<const std::byte> coded,
                            std::span<const std::int64_t> removed,
                            std::uint64_t remainder_max) {
  State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  const std::uint32_t slot = lane.value();
  LaneCache& cache = state.lane_caches[slot];
  LaneRecord& record = state.lane(slot);
  if (auto checked = check_append(state, slot, tile, coded, removed); !checked) {
    return checked;
  }
  if (auto room = state.reserve_tiles(
          state.layout.lane_s(slot), std::uint64_t{tile} * kTileBlocks, kTileBlocks);
      !room) {
    return room;
  }
  // Bytes past building_bytes belong to nobody until the step below.
  const std::uint64_t used =
      record.building_bytes == 0 ? cache.header_bytes : record.building_bytes;
  const auto bytes = state.building_bytes(slot);
  const auto coded_bytes = static_cast<std::uint32_t>(coded.size());
  const std::size_t record_bytes = wire::tile_record_bytes(tile, coded_bytes, cache.flags);
  const auto place = bytes.subspan(used + record_bytes, coded.size());
  if (!coded.empty() && coded.data() != place.data()) {
    std::memmove(place.data(), coded.data(), coded.size());
  }
  wire::write_tile_record(tile, codec, coded_bytes, cache.flags, bytes.subspan(used));
  GODWIT_CRASH_POINT();

  if (GODWIT_MUTANT(kSubtractOriginal)) {
    removed = state.workspace.open();
    state.read_open(slot, tile, state.workspace.open());
  }
  RedoStep step(state.redo);
  const auto total = put_removed(state, step, slot, tile, removed);
  if (!total) {
    return Failure(total.error());
  }
  LaneTileRecord& tile_record = state.lane_tile(slot, tile);
  const bool clean = remainder_max <= state.shape.tolerance;
  if (clean) {
    step.put_word(tile_record.clean_to, state.merged_through());
  } else if (tile_record.generation != record.generation) {
    step.put_word(tile_record.clean_to, 0);
  }
  step.put_word(tile_record.generation, record.generation);
  step.put_word(record.checksum_s, field_add(record.checksum_s, total->checksum));
  step.put_word(record.building_bytes, used + record_bytes + coded.size());
  step.put_word(record.building_tiles, record.building_tiles + 1);
  step.put_word(record.building_checksum, field_add(record.building_checksum, total->checksum));
  step.put_word(record.building_mass, add_mass(record.building_mass, total->mass));
  step.run();

  cache.building.push_back(tile);
  cache.set_inexact(tile, remainder_max > 0);
  if (clean) {
    cache.dirty_since.set(tile, MinTree::kNone);
  }
  if (state.scrub.array == Scrub::Array::kS && state.scrub.lane == slot) {
    const std::uint64_t scanned =
        state.scrub.block - std::min(state.scrub.block, std::uint64_t{tile} * kTileBlocks);
    const auto behind = std::min<std::uint64_t>(scanned, kTileBlocks) * kBlockElements;
    state.scrub.sum =
        field_add(state.scrub.sum, state.checksum.of_tile(tile, removed.first(behind)));
  }
  return {};
}

bool Ledger::is_building(LaneIndex lane, std::uint32_t tile) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  const auto& building = state_->lane_caches[lane.value()].building;
  return std::find(building.begin(), building.end(), tile) != building.end();
}

std::uint32_t Ledger::building_tiles(LaneIndex lane) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  return static_cast<std::uint32_t>(state_->lane(lane.value()).building_tiles);
}

// Gives the transfer its number and its final header, trailer and table entry: one atomic step.
std::uint64_t State::seal(std::uint32_t slot, std::optional<std::uint32_t> remaining_deadline_ms) {
  LaneRecord& record = lane(slot);
  const auto bytes = building_bytes(slot);
  const auto parsed = wire::parse_header(bytes);
  GODWIT_ASSERT(parsed.has_value(), "begin_transfer wrote the header before any tile");
  wire::TransferHeader header_fields = *parsed;
  const std::uint64_t k = record.next_k;
  const std::uint64_t header_size = wire::header_bytes(header_fields.origin_count);
  const std::uint64_t size = record.building_bytes + wire::kTrailerBytes;
  const std::uint64_t position = building_position(slot);
  const std::uint64_t cumulative = field_add(record.cumulative, record.building_checksum);
  const std::uint64_t covered = coverage_frozen(slot);
  header_fields.k = k;
  header_fields.remaining_deadline_ms =
      remaining_deadline_ms.value_or(header_fields.remaining_deadline_ms);
  header_fields.coverage = covered;
  header_fields.checksum = record.building_checksum;
  header_fields.cumulative = cumulative;
  header_fields.tile_count = static_cast<std::uint16_t>(record.building_tiles);
  header_fields.payload_bytes = static_cast<std::uint32_t>(record.building_bytes - header_size);

  RedoStep step(redo);
  std::array<std::byte, wire::header_bytes(wire::kOriginsMax)> final_header{};
  const auto written = std::span(final_header).first(header_size);
  wire::write_header(header_fields, written);
  const std::uint32_t crc =
      crc32c(bytes.subspan(header_size, record.building_bytes - header_size), crc32c(written));
  const std::uint64_t offset = offset_of(bytes.data());
  step.put(offset, written);
  step.put(offset + record.building_bytes, std::as_bytes(std::span(&crc, 1)));
  const TransferRecord entry = {.position = position,
                                .bytes = size,
                                .checksum = record.building_checksum,
                                .cumulative = cumulative,
                                .coverage = covered,
                                .mass = record.building_mass};
  step.put(offset_of(&transfer(slot, k)), std::as_bytes(std::span(&entry, 1)));
  step.put_word(record.next_k, k + 1);
  step.put_word(record.cumulative, cumulative);
  step.put_word(record.coverage, covered);
  if (!is_subscriber(slot)) {
    step.put_word(header().mass_sent,
                  add_mass(header().mass_sent, std::bit_cast<double>(record.building_mass)));
  }
  if (!GODWIT_MUTANT(kAddToFrozen)) {
    step.put_word(record.ring_head, align(position + size));
    step.put_word(record.building_bytes, 0);
    step.put_word(record.building_tiles, 0);
    step.put_word(record.building_checksum, 0);
    step.put_word(record.building_mass, 0);
  }
  step.run();
  LaneCache& cache = lane_caches[slot];
  cache.begun = false;
  cache.building.clear();
  cache.received[k % kWindowMax / 64] &= ~(std::uint64_t{1} << (k % 64));
  return k;
}

Result<std::uint64_t> Ledger::seal(LaneIndex lane,
                                   std::optional<std::uint32_t> remaining_deadline_ms) {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out);
  if (state_->lane(lane.value()).building_tiles == 0) {
    return fail(Code::kNotFound, "lane {}: nothing to seal", lane.value());
  }
  return state_->seal(lane.value(), remaining_deadline_ms);
}

}  // namespace godwit::ledger
