// The nouns of the ledger: shape, identities, and the small values that cross its border.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"

namespace godwit::ledger {

inline constexpr std::uint32_t kBlockElements = 4096;
inline constexpr std::uint32_t kTileBlocks = 8;
inline constexpr std::uint32_t kTileElements = kBlockElements * kTileBlocks;
inline constexpr std::uint64_t kBlockBytes = std::uint64_t{kBlockElements} * 8;
inline constexpr std::uint64_t kTileBytes = kBlockBytes * kTileBlocks;
// What a processor's cache moves at once.
inline constexpr std::uint32_t kLineElements = 8;
inline constexpr std::uint32_t kBlockLines = kBlockElements / kLineElements;
// Unreceipted transfers of a lane: the width of a receipt's bitmap.
inline constexpr std::uint32_t kWindowMax = 1024;
// Elements of one shard. Chosen: 2^34 elements are 128 GiB per array; tiles still fit 32 bits.
inline constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 34U;
// Slots. Chosen, each far above what a site configures.
inline constexpr std::uint32_t kLanesMax = 256;
inline constexpr std::uint32_t kInboxesMax = 256;

using LaneIndex = Id<struct LaneIndexTag, std::uint32_t>;          // slot of an outgoing lane
using IncomingIndex = Id<struct IncomingIndexTag, std::uint32_t>;  // slot of an incoming lane
using InboxIndex = Id<struct InboxIndexTag, std::uint32_t>;        // slot of a publisher

// Changes of a topic's shard at one gateway, publishes and applied transfers alike, are numbered
// from 1 in the order in which they became safe. Coverage is stated in these numbers.
using PublishNumber = Id<struct PublishNumberTag, std::uint64_t>;

// What a topic's shard looks like. All but the last two fields fix the layout of the mapping.
struct Shape {
  TopicId topic;
  std::uint16_t shard = 0;
  SiteId site;                           // this gateway's
  std::uint64_t element_count = 0;       // of this shard, 1..kElementsMax
  std::uint32_t lanes_out = 8;           // slots for sites and local subscribers together
  std::uint32_t lanes_in = 8;            // slots for peers
  std::uint32_t inboxes = 16;            // slots for publishers
  std::uint32_t ring_bytes = 8U << 20U;  // frozen ring of one lane, >= 2 transfers of 72 KiB
  bool seed = false;                     // keep an fp32 seed snapshot
  std::uint32_t site_count = 2;          // configured sites; sets magnitude_max()
  std::uint64_t tolerance = 0;           // tau in quanta: a remainder <= tau counts as covered

  std::uint32_t tile_count() const {
    return static_cast<std::uint32_t>((element_count + kTileElements - 1) / kTileElements);
  }
  std::uint64_t block_count() const { return std::uint64_t{tile_count()} * kTileBlocks; }
  // Largest |P| that the door lets in: the sum of all sites stays within 2^62. P - S of a lane to a
  // site stays below it, too, since |S| is at most twice that (put_removed): hence two sites have
  // the room of three.
  std::int64_t magnitude_max() const {
    return static_cast<std::int64_t>((std::uint64_t{1} << 62U) / std::max(3U, site_count));
  }
};

// The element whose sum a refused publish would have taken out of range, and what it would have
// added there, in quanta.
struct BeyondRange {
  std::uint64_t element = 0;
  std::int64_t value = 0;
};

enum class LaneKind : std::uint8_t {
  kSite = 0,        // open = P - S
  kSubscriber = 1,  // open = (P + R) - S
};

// The receiving end of an outgoing lane; topic, shard, site and incarnation of this end are the
// ledger's own.
struct LaneKey {
  LaneKind kind = LaneKind::kSite;
  std::uint64_t to = 0;  // SiteId or SubscriberId
  Incarnation to_incarnation;
};

struct LaneOptions {
  std::uint32_t window = kWindowMax;  // unreceipted transfers, 1..kWindowMax
  std::uint32_t ring_bytes = 0;       // limit below the shape's; 0 means the shape's
  PublisherId own_publisher;          // subscriber lanes: whose publishes do not echo; 0 is nobody
};

// How an incoming transfer's tiles become integers. Injected, so that the ledger knows no codec.
// A decoder is deterministic: equal bytes give equal integers on every machine.
class TileDecoder {
 public:
  virtual ~TileDecoder() = default;
  // Fills `out` (kTileElements) from `coded`; an error leaves `out` unspecified.
  virtual Result<void> decode(std::uint8_t codec,
                              std::span<const std::byte> coded,
                              std::span<std::int64_t> out) = 0;
};

// What a receiver says about a lane.
struct Receipt {
  std::uint64_t frontier = 0;  // every transfer <= frontier is applied
  std::uint64_t checksum = 0;  // cumulative checksum at the frontier
  // Bit i of word i/64 speaks of transfer frontier + 1 + i.
  std::array<std::uint64_t, kWindowMax / 64> window{};
};

// What the sender writes into a transfer's header beside what the ledger knows.
struct TransferFields {
  std::uint8_t traffic_class = 0;
  std::uint32_t tenant = 0;
  std::uint32_t remaining_deadline_ms = 0xFFFFFFFF;
  std::span<const SiteId> origins;  // at most wire::kOriginsMax
  bool short_records = false;       // of tiles; whoever receives it must read them
};

// Elements [first, first + count) of a publish, with the publisher's own numbering.
struct PublishRequest {
  std::uint64_t number = 0;  // from 1, ascending per publisher incarnation
  std::uint64_t step = 0;    // trainer's step, 0 is none; ascending per publisher, all incarnations
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

enum class Begin : std::uint8_t {
  kFresh,          // stage it
  kDuplicate,      // this number was committed before; it is safe
  kDuplicateStep,  // not above the last step committed, perhaps in another life of the publisher
  kBusy,           // this publisher's last publish is still being merged: merge_some first
};

enum class Applied : std::uint8_t {
  kApplied,
  kDuplicate,  // applied before: receipt it again
  kTooFar,     // beyond frontier + kWindowMax; not applied, the sender will repeat it
};

// How much changed in a tile since it was last polled.
struct TileActivity {
  std::uint32_t tile = 0;
  bool applied = false;   // by transfers of peers (R) instead of publishes (P)
  double energy = 0;      // sum of squared changes, in quanta^2
  std::uint64_t max = 0;  // largest |change|
  PublishNumber last;     // the latest change
};

// What is open in a tile of a lane, measured by reading it.
struct OpenMeasure {
  double energy = 0;
  std::uint64_t max = 0;
};

}  // namespace godwit::ledger
