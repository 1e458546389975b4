#include "dataplane/ledger/layout.h"

#include <algorithm>

#include "dataplane/ledger/ledger.h"
#include "dataplane/memory/mapping.h"
#include "dataplane/wire/transfer.h"

namespace godwit::ledger {

namespace {

constexpr std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + memory::kGranuleBytes - 1) / memory::kGranuleBytes * memory::kGranuleBytes;
}

}  // namespace

Layout::Layout(const Shape& shape) {
  std::uint64_t at = 0;
  const auto place = [&at](std::uint64_t bytes) {
    const std::uint64_t offset = at;
    at += round_up(bytes);
    return offset;
  };
  array_bytes = shape.tile_count() * kTileBytes;
  header = place(sizeof(HeaderRecord));
  redo = place(sizeof(RedoRecord));
  redo_data = place(kRedoDataBytes);
  inboxes = place(shape.inboxes * sizeof(InboxRecord));
  lanes = place(shape.lanes_out * sizeof(LaneRecord));
  incomings = place(shape.lanes_in * sizeof(IncomingRecord));
  tiles = place(shape.tile_count() * sizeof(TileRecord));
  fixed_bytes = at;
  p = place(array_bytes);
  r = place(array_bytes);
  seed = place(shape.seed ? array_bytes / 2 : 0);

  lane_base = at;
  lane_tiles_bytes = round_up(shape.tile_count() * sizeof(LaneTileRecord));
  lane_transfers_bytes = round_up(kWindowMax * sizeof(TransferRecord));
  ring_stride = round_up(shape.ring_bytes);
  lane_stride = lane_tiles_bytes + lane_transfers_bytes + ring_stride + array_bytes;
  at += shape.lanes_out * lane_stride;

  incoming_base = at;
  incoming_window_bytes = round_up(kWindowMax * sizeof(WindowRecord));
  intent_bytes = round_up(wire::kTransferBytesMax);
  incoming_stride = incoming_window_bytes + intent_bytes;
  at += shape.lanes_in * incoming_stride;

  staging_base = at;
  at += shape.inboxes * array_bytes;
  total = at;
}

std::uint64_t layout_bytes(const Shape& shape) {
  return Layout(shape).total;
}

std::uint64_t storage_bound(const Shape& shape, const Occupancy& occupancy) {
  const Layout layout(shape);
  const std::uint64_t seed = shape.seed ? layout.array_bytes / 2 : 0;
  const std::uint32_t lanes = occupancy.site_lanes + occupancy.subscriber_lanes;
  const std::uint32_t tables = std::max(lanes, occupancy.lane_slots);
  return layout.fixed_bytes + (2 * layout.array_bytes) + seed +
         (lanes * (layout.ring_stride + layout.array_bytes)) +
         (tables * (layout.lane_tiles_bytes + layout.lane_transfers_bytes)) +
         (shape.lanes_in * layout.incoming_stride) + (occupancy.inboxes * layout.array_bytes);
}

Result<void> check_shape(const Shape& shape) {
  if (shape.element_count == 0 || shape.element_count > kElementsMax) {
    return fail(Code::kInvalid,
                "topic shape: element_count {} is not in 1..{}",
                shape.element_count,
                kElementsMax);
  }
  if (shape.lanes_out == 0 || shape.lanes_out > kLanesMax) {
    return fail(
        Code::kInvalid, "topic shape: lanes_out {} not in 1..{}", shape.lanes_out, kLanesMax);
  }
  if (shape.lanes_in == 0 || shape.lanes_in > kLanesMax) {
    return fail(Code::kInvalid, "topic shape: lanes_in {} not in 1..{}", shape.lanes_in, kLanesMax);
  }
  if (shape.inboxes == 0 || shape.inboxes > kInboxesMax) {
    return fail(Code::kInvalid, "topic shape: inboxes {} not in 1..{}", shape.inboxes, kInboxesMax);
  }
  if (shape.ring_bytes < 2 * wire::kTransferBytesMax || shape.ring_bytes % 64 != 0) {
    return fail(Code::kInvalid,
                "topic shape: ring_bytes {} is below {} or no multiple of 64",
                shape.ring_bytes,
                2 * wire::kTransferBytesMax);
  }
  if (shape.site_count == 0) {
    return fail(Code::kInvalid, "topic shape: site_count is 0");
  }
  return {};
}

}  // namespace godwit::ledger
