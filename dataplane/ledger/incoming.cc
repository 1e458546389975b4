// Incoming lanes: applying each transfer of a peer exactly once.

#include <algorithm>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

bool marked(const IncomingRecord& record, std::uint64_t k) {
  return ((record.window[k % kWindowMax / 64] >> (k % 64)) & 1U) != 0;
}

bool already_applied(const IncomingRecord& record, std::uint64_t k) {
  return k <= record.frontier || (k <= record.frontier + kWindowMax && marked(record, k));
}

// Where the frontier goes once transfer `k` is applied too.
struct Advance {
  std::uint64_t frontier = 0;
  std::uint64_t cumulative = 0;
  std::uint64_t coverage = 0;
  std::uint64_t contradiction = 0;  // the transfer whose cumulative checksum does not hold, or 0
  std::array<std::uint64_t, kWindowMax / 64> window{};
};

Advance advance(const State& state, std::uint32_t slot, const wire::TransferHeader& header) {
  const IncomingRecord& record = state.incoming(slot);
  Advance next = {.frontier = record.frontier,
                  .cumulative = record.cumulative,
                  .coverage = record.coverage,
                  .contradiction = 0,
                  .window = record.window};
  next.window[header.k % kWindowMax / 64] |= std::uint64_t{1} << (header.k % 64);
  for (std::uint64_t k = record.frontier + 1; k <= record.frontier + kWindowMax; ++k) {
    std::uint64_t& word = next.window[k % kWindowMax / 64];
    const std::uint64_t bit = std::uint64_t{1} << (k % 64);
    if ((word & bit) == 0) {
      break;
    }
    const WindowRecord entry = k == header.k ? WindowRecord{.checksum = header.checksum,
                                                            .cumulative = header.cumulative,
                                                            .coverage = header.coverage}
                                             : state.window(slot, k);
    const std::uint64_t cumulative = field_add(next.cumulative, entry.checksum);
    if (cumulative != entry.cumulative && !GODWIT_MUTANT(kSkipCumulativeCheck)) {
      next.contradiction = k;
      break;
    }
    word &= ~bit;
    next.frontier = k;
    next.cumulative = cumulative;
    next.coverage = std::max(next.coverage, entry.coverage);
  }
  return next;
}

// The words that mark a transfer as applied.
void put_finish(State& state,
                RedoStep& step,
                std::uint32_t slot,
                const wire::TransferHeader& header,
                std::uint64_t number) {
  IncomingRecord& record = state.incoming(slot);
  if (already_applied(record, header.k)) {
    return;  // only when the rule against applying twice is switched off
  }
  const Advance next = advance(state, slot, header);
  for (std::size_t i = 0; i < next.window.size(); ++i) {
    if (next.window[i] != record.window[i]) {
      step.put_word(record.window[i], next.window[i]);
    }
  }
  WindowRecord& entry = state.window(slot, header.k);
  step.put_word(entry.checksum, header.checksum);
  step.put_word(entry.cumulative, header.cumulative);
  step.put_word(entry.coverage, header.coverage);
  step.put_word(record.frontier, next.frontier);
  step.put_word(record.cumulative, next.cumulative);
  if (next.coverage != record.coverage) {
    step.put_word(record.coverage, next.coverage);
    step.put_word(record.coverage_at, number);
  }
  if (next.contradiction != 0) {
    step.put_word(record.quarantined, 1);
  }
}

struct TileStep {
  std::uint32_t slot = 0;
  std::uint32_t tile = 0;
  std::uint64_t number = 0;
  bool last = false;   // marks the transfer as applied too
  bool alone = false;  // of a transfer without intent
};

// The decoded integers of a tile, with what was found of its blocks.
struct DecodedTile {
  std::span<const std::int64_t, kTileElements> values;
  std::span<const Workspace::Block, kTileBlocks> blocks;

  std::span<const std::int64_t, kBlockElements> block(std::uint32_t i) const {
    return values.subspan(std::size_t{i} * kBlockElements).first<kBlockElements>();
  }
};

DecodedTile decoded_tile(const State& state, std::uint32_t place) {
  return {.values = state.workspace.decoded(place), .blocks = state.workspace.blocks(place)};
}

// One atomic step: R += q for one tile, with everything that must move along.
void apply_tile(State& state,
                const TileStep& what,
                const wire::TransferHeader& header,
                const DecodedTile& q) {
  IncomingRecord& record = state.incoming(what.slot);
  HeaderRecord& head = state.header();
  RedoStep step(state.redo);
  if (what.last && GODWIT_MUTANT(kReceiptBeforeApply)) {
    put_finish(state, step, what.slot, header, what.number);
    step.run();
  }
  std::array<std::uint64_t, kTileBlocks> sums{};
  std::uint64_t sum = 0;
  double energy = 0;
  double mass = 0;
  std::uint64_t max = 0;
  for (std::uint32_t i = 0; i < kTileBlocks; ++i) {
    const BlockChange change = {.values = q.block(i), .lines = q.blocks[i].lines};
    if (change.is_empty()) {
      continue;
    }
    const std::uint64_t block = (std::uint64_t{what.tile} * kTileBlocks) + i;
    const auto r = state.block_at(state.layout.r, block);
    const auto image = step.image_lines(state.layout.r + (block * kBlockBytes), change.lines);
    add(r.data(), change, image.data());
    const BlockStatistics& statistics = q.blocks[i].measured.statistics;
    sums[i] = q.blocks[i].measured.checksum;
    sum = field_add(sum, sums[i]);
    energy += statistics.energy;
    mass += statistics.mass;
    max = std::max(max, statistics.max);
  }
  step.put_word(head.checksum_r, field_add(head.checksum_r, sum));
  step.put_word(head.mass_applied, add_mass(head.mass_applied, mass));
  step.put_word(record.checksum_applied, field_add(record.checksum_applied, sum));
  step.put_word(record.mass_applied, add_mass(record.mass_applied, mass));
  step.put_word(state.tile(what.tile).r_last, what.number);
  if (what.alone) {
    step.put_word(head.last_publish, what.number);
  } else {
    step.put_word(record.intent_tiles_done, record.intent_tiles_done + 1);
  }
  if (what.last) {
    if (GODWIT_MUTANT(kFrontierApartFromSums)) {
      step.run();
    }
    put_finish(state, step, what.slot, header, what.number);
    if (!what.alone) {
      step.put_word(record.intent_bytes, 0);
    }
  }
  step.run();
  for (std::uint32_t i = 0; i < kTileBlocks; ++i) {
    const std::uint64_t block = (std::uint64_t{what.tile} * kTileBlocks) + i;
    state.scrub.note(Scrub::Array::kR, 0, block, sums[i]);
  }
  if (max > 0) {
    state.activity.note(what.tile, true, energy, max, what.number);
    state.mark_dirty(what.tile, what.number, !GODWIT_MUTANT(kForwardApplied), -1);
  }
}

Result<void> check_lane(const State& state,
                        std::uint32_t slot,
                        const wire::TransferHeader& header) {
  const IncomingRecord& record = state.incoming(slot);
  const bool same_ends = header.topic == state.shape.topic && header.shard == state.shape.shard &&
                         header.from.value() == record.from &&
                         header.to == state.shape.site.value() &&
                         (header.flags & wire::kFlagSubscriber) == 0;
  const bool same_lives = same_life(header.from_incarnation.packed(), record.from_incarnation) &&
                          same_life(header.to_incarnation.packed(), state.header().incarnation);
  if (record.used == 0 || !same_ends || !same_lives) {
    return fail(Code::kCorrupt, "transfer {}: belongs to another lane", header.k);
  }
  if (record.quarantined != 0) {
    return fail(Code::kCorrupt, "lane from {:08x}: in quarantine", record.from);
  }
  return {};
}

// Decodes a tile into its place in the workspace and looks at its blocks.
Result<DecodedTile> decode_tile(State& state, const wire::TilePart& part, std::uint32_t place) {
  if (auto decoded =
          state.workspace.decoder().decode(part.codec, part.coded, state.workspace.decoded(place));
      !decoded) {
    return fail(Code::kCorrupt, "transfer: tile {}: {}", part.tile, decoded.error().message);
  }
  const DecodedTile q = decoded_tile(state, place);
  for (std::uint32_t i = 0; i < kTileBlocks; ++i) {
    const BlockChange change = touched(q.block(i));
    prefetch(state.block_at(state.layout.r, (std::uint64_t{part.tile} * kTileBlocks) + i).data(),
             change);
    state.workspace.blocks(place)[i] = {
        .lines = change.lines,
        .measured = state.checksum.measure((std::uint64_t{part.tile} * kTileBlocks) + i, change)};
  }
  return q;
}

// Elements that are not there stay zero, and no sum leaves its range.
Result<void> check_range(State& state, std::uint32_t tile, const DecodedTile& q) {
  const std::uint64_t first = std::uint64_t{tile} * kTileElements;
  const std::uint64_t count =
      std::min<std::uint64_t>(state.shape.element_count - first, kTileElements);
  for (std::uint64_t i = count; i < kTileElements; ++i) {
    if (q.values[i] != 0) {
      return fail(Code::kCorrupt, "transfer: an integer at element {}, past the last", first + i);
    }
  }
  // P + R must fit the type; honest peers stay within it, see magnitude_max.
  const std::uint64_t limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) -
                              static_cast<std::uint64_t>(state.shape.magnitude_max());
  const bool there = state.tile(tile).r_last != 0;
  for (std::uint32_t i = 0; i < kTileBlocks; ++i) {
    const std::uint64_t block = (std::uint64_t{tile} * kTileBlocks) + i;
    if (!sums_within(state.r_bounds[block],
                     there ? state.block_at(state.layout.r, block).data() : nullptr,
                     q.block(i),
                     q.blocks[i].measured.statistics.max,
                     limit)) {
      return fail(Code::kCorrupt, "transfer: tile {} would take R beyond {}", tile, limit);
    }
  }
  return {};
}

// Decodes and checks every tile; the first Workspace::kDecodedTiles stay in the workspace. The
// first `done` are in R already.
Result<void> check_content(State& state, const wire::TransferView& transfer, std::uint64_t done) {
  std::uint64_t sum = 0;
  std::uint32_t index = 0;
  for (const wire::TilePart part : transfer) {
    const auto q = decode_tile(state, part, std::min(index, Workspace::kDecodedTiles - 1));
    if (!q) {
      return Failure(q.error());
    }
    if (auto range = index < done ? Result<void>{} : check_range(state, part.tile, *q); !range) {
      return range;
    }
    for (const Workspace::Block& block : q->blocks) {
      sum = field_add(sum, block.measured.checksum);
    }
    ++index;
  }
  if (sum != transfer.header().checksum && !GODWIT_MUTANT(kSkipContentCheck)) {
    return fail(Code::kCorrupt,
                "transfer {}: its integers have checksum {:x}, its header says {:x}",
                transfer.header().k,
                sum,
                transfer.header().checksum);
  }
  return {};
}

// Applies the tiles from `intent_tiles_done` on of the transfer in the intent area, which
// check_content has looked at last.
Result<void> apply_tiles(State& state, std::uint32_t slot, const wire::TransferView& transfer) {
  const std::uint64_t done = state.incoming(slot).intent_tiles_done;
  const std::uint64_t number = state.incoming(slot).intent_number;
  const std::uint32_t count = transfer.header().tile_count;
  // The check left the last decoded tile in the last place.
  const std::uint32_t kept =
      count <= Workspace::kDecodedTiles ? count : Workspace::kDecodedTiles - 1;
  std::uint32_t index = 0;
  for (const wire::TilePart part : transfer) {
    if (index >= done) {
      const auto q = index < kept ? decoded_tile(state, index)
                                  : decode_tile(state, part, Workspace::kDecodedTiles - 1);
      if (!q) {
        return Failure(q.error());
      }
      const TileStep what = {.slot = slot,
                             .tile = part.tile,
                             .number = number,
                             .last = index + 1 == count,
                             .alone = false};
      apply_tile(state, what, transfer.header(), *q);
    }
    ++index;
  }
  return {};
}

}  // namespace

Result<void> State::finish_intent(std::uint32_t slot) {
  const IncomingRecord& record = incoming(slot);
  if (record.used == 0 || record.intent_bytes == 0) {
    return {};
  }
  if (record.intent_bytes > wire::kTransferBytesMax) {
    return fail(Code::kCorrupt, "ledger: an intent of {} bytes", record.intent_bytes);
  }
  const auto bytes = mapping.part(layout.incoming_intent(slot), record.intent_bytes);
  const auto transfer = wire::parse_transfer(bytes, shape.tile_count());
  if (!transfer) {
    return fail(Code::kCorrupt, "ledger: half-applied {}", transfer.error().message);
  }
  if (auto lane = check_lane(*this, slot, transfer->header()); !lane) {
    return fail(Code::kCorrupt, "ledger: half-applied {}", lane.error().message);
  }
  const std::uint64_t k = transfer->header().k;
  if (already_applied(record, k) || k > record.frontier + kWindowMax ||
      record.intent_tiles_done >= transfer->header().tile_count) {
    return fail(Code::kCorrupt, "ledger: transfer {} cannot be half applied", k);
  }
  if (auto content = check_content(*this, *transfer, record.intent_tiles_done); !content) {
    return fail(Code::kCorrupt, "ledger: half-applied {}", content.error().message);
  }
  for (const wire::TilePart part : *transfer) {
    if (auto room = reserve_tiles(layout.r, std::uint64_t{part.tile} * kTileBlocks, kTileBlocks);
        !room) {
      return room;
    }
  }
  return apply_tiles(*this, slot, *transfer);
}

Result<Applied> Ledger::apply(IncomingIndex incoming, const wire::TransferView& transfer) {
  State& state = *state_;
  GODWIT_ASSERT(incoming.value() < state.shape.lanes_in);
  const std::uint32_t slot = incoming.value();
  IncomingRecord& record = state.incoming(slot);
  const wire::TransferHeader& header = transfer.header();
  if (auto lane = check_lane(state, slot, header); !lane) {
    return Failure(lane.error());
  }
  if (already_applied(record, header.k) && !GODWIT_MUTANT(kApplyTwice)) {
    return Applied::kDuplicate;
  }
  if (header.k > record.frontier + kWindowMax) {
    return Applied::kTooFar;
  }
  if (header.tile_count == 0) {
    return fail(Code::kCorrupt, "transfer {}: no tiles", header.k);
  }
  if (auto content = check_content(state, transfer, 0); !content) {
    return Failure(content.error());
  }
  if (const Advance next = advance(state, slot, header); next.contradiction == header.k) {
    RedoStep step(state.redo);
    step.put_word(record.quarantined, 1);
    step.run();
    state.defect("a sender's cumulative checksum is not the receiver's");
    return fail(Code::kCorrupt,
                "transfer {}: its cumulative checksum does not continue this lane's",
                header.k);
  }
  for (const wire::TilePart part : transfer) {
    const std::uint64_t block = std::uint64_t{part.tile} * kTileBlocks;
    if (auto room = state.reserve_tiles(state.layout.r, block, kTileBlocks); !room) {
      return Failure(room.error());
    }
  }
  const std::uint64_t number = state.header().last_publish + 1;
  if (header.tile_count == 1) {
    const TileStep what = {.slot = slot,
                           .tile = (*transfer.begin()).tile,
                           .number = number,
                           .last = true,
                           .alone = true};
    apply_tile(state, what, header, decoded_tile(state, 0));
  } else {
    const std::uint64_t area = state.layout.incoming_intent(slot);
    std::memcpy(&state.at<std::byte>(area), transfer.bytes().data(), transfer.bytes().size());
    GODWIT_CRASH_POINT();
    RedoStep step(state.redo);
    step.put_word(record.intent_bytes, transfer.bytes().size());
    step.put_word(record.intent_tiles_done, 0);
    step.put_word(record.intent_number, number);
    step.put_word(state.header().last_publish, number);
    step.run();
    if (auto applied = apply_tiles(state, slot, transfer); !applied) {
      return Failure(applied.error());
    }
  }
  if (record.quarantined != 0) {
    state.defect("a transfer applied ahead of its turn contradicts the cumulative checksum");
  }
  return Applied::kApplied;
}

}  // namespace godwit::ledger
