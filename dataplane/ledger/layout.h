// Where everything lies in the mapping: fixed offsets of records and arrays, from the shape alone.
//
// ```
//  header · redo slot · records (inboxes, lanes, incoming) · tile table · P · R · seed ·
//  per lane slot:     tile table, transfer table, frozen ring, S
//  per incoming slot: window table, intent area
//  per inbox slot:    staging
// ```
// Every region begins at a granule of the mapping, so each is reserved and released by itself.
// Records consist of 64-bit words that the redo slot changes; their layout is part of kVersion.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/ledger/types.h"

namespace godwit::ledger {

inline constexpr std::uint64_t kLayoutMagic = 0x314c544957444f47;  // "GODWITL1"
inline constexpr std::uint64_t kLayoutVersion = 5;
// Where transfers begin in a lane's ring: a cache line.
inline constexpr std::uint64_t kRingAlignment = 64;

struct HeaderRecord {
  std::uint64_t magic;  // written last when a ledger is created
  std::uint64_t version;
  std::uint64_t topic;
  std::uint64_t shard;
  std::uint64_t site;
  std::uint64_t element_count;
  std::uint64_t lanes_out;
  std::uint64_t lanes_in;
  std::uint64_t inboxes;
  std::uint64_t ring_bytes;
  std::uint64_t seed;
  std::uint64_t incarnation;
  std::uint64_t last_publish;       // greatest change number given out
  std::uint64_t checksum_accepted;  // of committed publishes, as they were staged
  std::uint64_t checksum_p;
  std::uint64_t checksum_r;
  std::uint64_t checksum_detached;  // part of R from senders whose state was lost
  std::uint64_t mass_published;     // bits of a double, as all masses
  std::uint64_t mass_detached;
  std::uint64_t mass_sent;  // of lanes to sites, closed ones too
  std::uint64_t mass_applied;
  std::uint64_t closings;   // counts close_inbox, orders closed slots by age
  std::uint64_t publishes;  // committed, a count
  std::uint64_t elements_published;
  std::uint64_t publishers_forgotten;  // whose slot another one took, a count
};

// Up to its first field that changes, a header says which ledger it is.
inline constexpr std::uint64_t kIdentityBytes = offsetof(HeaderRecord, last_publish);

struct InboxRecord {
  std::uint64_t used;
  std::uint64_t publisher;
  std::uint64_t incarnation;
  std::uint64_t last_number;
  std::uint64_t last_step;
  std::uint64_t last_publish;
  std::uint64_t closed;  // 0, or the value of `closings` when it was closed
  // A committed publish on its way into P:
  std::uint64_t pending;
  std::uint64_t first;
  std::uint64_t count;
  std::uint64_t next_block;
  std::uint64_t pending_checksum;  // of what is not yet merged
  std::uint64_t named;             // 1: its last step is kept for ever
};

struct LaneRecord {
  std::uint64_t used;
  std::uint64_t generation;  // of the slot; tiles of another generation count as zero
  std::uint64_t kind;
  std::uint64_t to;
  std::uint64_t to_incarnation;
  std::uint64_t own_publisher;
  std::uint64_t window;
  std::uint64_t ring_bytes;
  std::uint64_t quarantined;
  std::uint64_t next_k;
  std::uint64_t cumulative;  // C of transfers 1..next_k-1
  std::uint64_t frontier;
  std::uint64_t frontier_cumulative;
  std::uint64_t frontier_coverage;  // announced by transfer `frontier`
  std::uint64_t checksum_s;
  std::uint64_t checksum_own;  // part of S from own publishes
  std::uint64_t coverage;      // greatest announced in a sealed transfer
  std::uint64_t ring_head;     // positions grow for ever; the place is position % ring_bytes
  std::uint64_t ring_tail;
  // The transfer being built, whose tiles are in S already:
  std::uint64_t building_bytes;  // header, records and coded bytes so far
  std::uint64_t building_tiles;
  std::uint64_t building_checksum;
  std::uint64_t building_mass;
};

// Entry k % kWindowMax of a lane's transfer table.
struct TransferRecord {
  std::uint64_t position;
  std::uint64_t bytes;
  std::uint64_t checksum;
  std::uint64_t cumulative;
  std::uint64_t coverage;
  std::uint64_t mass;
};

struct IncomingRecord {
  std::uint64_t used;
  std::uint64_t from;
  std::uint64_t from_incarnation;
  std::uint64_t quarantined;
  std::uint64_t frontier;
  std::uint64_t cumulative;  // C at the frontier
  std::uint64_t coverage;
  std::uint64_t coverage_at;
  std::uint64_t checksum_applied;
  std::uint64_t mass_applied;
  std::array<std::uint64_t, kWindowMax / 64> window;  // bit k % kWindowMax, beyond the frontier
  // A transfer of several tiles on its way into R:
  std::uint64_t intent_bytes;  // 0: none
  std::uint64_t intent_tiles_done;
  std::uint64_t intent_number;  // the change number it has here
};

// Entry k % kWindowMax of an incoming lane's window table.
struct WindowRecord {
  std::uint64_t checksum;
  std::uint64_t cumulative;
  std::uint64_t coverage;
};

struct TileRecord {
  std::uint64_t p_last;  // last change merged into P here; 0: untouched
  std::uint64_t r_last;
};

struct LaneTileRecord {
  std::uint64_t clean_to;    // changes <= it are covered here
  std::uint64_t generation;  // of the lane slot when S was last changed here; 0: never
};

// One change of memory in the redo slot, and one word.
struct RedoRange {
  std::uint64_t offset;
  std::uint64_t bytes;  // in the slot
  std::uint64_t
      is_lines;  // 1: LineBits and those lines of the block at `offset`, 0: what it becomes
};
struct RedoWord {
  std::uint64_t offset;
  std::uint64_t value;
};

inline constexpr std::uint64_t kRedoRangesMax = 32;
inline constexpr std::uint64_t kRedoWordsMax = 64;
// A publish with its own lane: one block of P, and a whole tile of S when the slot was used before.
inline constexpr std::uint64_t kRedoDataBytes = 10 * kBlockBytes;

struct RedoRecord {
  std::uint64_t commit;  // 0, or the seal over what follows: the step counts
  std::uint64_t range_count;
  std::uint64_t word_count;
  std::array<RedoRange, kRedoRangesMax> ranges;
  std::array<RedoWord, kRedoWordsMax> words;
};

// Byte offsets; all multiples of memory::kGranuleBytes.
struct Layout {
  explicit Layout(const Shape& shape);

  std::uint64_t header = 0;
  std::uint64_t redo = 0;
  std::uint64_t redo_data = 0;
  std::uint64_t inboxes = 0;
  std::uint64_t lanes = 0;
  std::uint64_t incomings = 0;
  std::uint64_t tiles = 0;
  std::uint64_t fixed_bytes = 0;  // end of what every ledger reserves at once
  std::uint64_t p = 0;
  std::uint64_t r = 0;
  std::uint64_t seed = 0;

  std::uint64_t lane_tiles(std::uint32_t lane) const { return lane_base + (lane * lane_stride); }
  std::uint64_t lane_transfers(std::uint32_t lane) const {
    return lane_tiles(lane) + lane_tiles_bytes;
  }
  std::uint64_t lane_ring(std::uint32_t lane) const {
    return lane_transfers(lane) + lane_transfers_bytes;
  }
  std::uint64_t lane_s(std::uint32_t lane) const { return lane_ring(lane) + ring_stride; }
  std::uint64_t incoming_window(std::uint32_t incoming) const {
    return incoming_base + (incoming * incoming_stride);
  }
  std::uint64_t incoming_intent(std::uint32_t incoming) const {
    return incoming_window(incoming) + incoming_window_bytes;
  }
  std::uint64_t staging(std::uint32_t inbox) const { return staging_base + (inbox * array_bytes); }

  std::uint64_t array_bytes = 0;  // of P, R, one S, one staging
  std::uint64_t lane_base = 0;
  std::uint64_t lane_stride = 0;
  std::uint64_t lane_tiles_bytes = 0;
  std::uint64_t lane_transfers_bytes = 0;
  std::uint64_t ring_stride = 0;
  std::uint64_t incoming_base = 0;
  std::uint64_t incoming_stride = 0;
  std::uint64_t incoming_window_bytes = 0;
  std::uint64_t intent_bytes = 0;
  std::uint64_t staging_base = 0;
  std::uint64_t total = 0;
};

}  // namespace godwit::ledger
