// The version-1 transfer: the bytes that one stream carries, as SPEC.md lays them out.
//
// A transfer is the unit that is frozen, numbered, sent, receipted and sent again byte by byte the
// same. Reading is bounded and copies nothing: a TransferView points into the caller's bytes.
// Writing happens in place, in a lane's frozen ring, so the functions work on spans.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wire {

// 64 KiB of coded bytes (the largest freeze unit) plus headers of its tiles. Chosen.
inline constexpr std::size_t kTransferBytesMax = 72 * 1024;
// Tiles in one transfer; bounds the work that one transfer can cause. Chosen.
inline constexpr std::uint32_t kTransferTilesMax = 512;
// Sites in the origin set. Chosen: more sites than a mesh is run with.
inline constexpr std::uint32_t kOriginsMax = 64;
// Coded bytes of one tile (a 24-bit field, bounded by the transfer anyway).
inline constexpr std::uint32_t kTileRecordBytes =
    8;  // at most; a short one of most tiles has 3 to 5
inline constexpr std::uint32_t kShortTilesMax = std::uint32_t{1} << 28U;  // so that 8 bytes suffice
inline constexpr std::uint32_t kTrailerBytes = 4;
// Everything of the header but the origins and the header's own crc.
inline constexpr std::uint32_t kHeaderFixedBytes = 90;
inline constexpr std::uint32_t kNoDeadline = 0xFFFFFFFF;

// Header flags.
inline constexpr std::uint8_t kFlagSubscriber = 0x01;    // `to` is a subscriber, not a site
inline constexpr std::uint8_t kFlagShortRecords = 0x02;  // tile records are short ones
inline constexpr std::uint8_t kFlagsKnown = kFlagSubscriber | kFlagShortRecords;

struct TransferHeader {
  std::uint8_t flags = 0;
  TopicId topic;
  std::uint16_t shard = 0;
  std::uint8_t traffic_class = 0;
  std::uint32_t tenant = 0;
  SiteId from;
  std::uint64_t to = 0;  // SiteId or SubscriberId, by kFlagSubscriber
  Incarnation from_incarnation;
  Incarnation to_incarnation;
  std::uint64_t k = 0;                                // from 1
  std::uint32_t remaining_deadline_ms = kNoDeadline;  // when it was frozen; 0: it had passed
  std::uint64_t coverage =
      0;  // every change <= this is in transfers <= k, but for remainders <= tau
  std::uint64_t checksum = 0;    // c(q) of this transfer's integers, in [0, 2^61-1)
  std::uint64_t cumulative = 0;  // sum of c(q) of transfers 1..k
  std::uint16_t tile_count = 0;
  std::uint32_t payload_bytes = 0;  // tile records and coded bytes
  std::uint8_t origin_count = 0;
  std::array<SiteId, kOriginsMax> origins{};
};

// One tile of a transfer: what its codec left of it.
struct TilePart {
  std::uint32_t tile = 0;
  std::uint8_t codec = 0;
  std::span<const std::byte> coded;
};

// A parsed transfer; valid as long as the bytes it was parsed from.
class TransferView {
 public:
  class Iterator {
   public:
    Iterator(std::span<const std::byte> rest, std::uint8_t flags) : rest_(rest), flags_(flags) {}
    TilePart operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return rest_.size() != other.rest_.size(); }

   private:
    std::span<const std::byte> rest_;
    std::uint8_t flags_;
  };

  const TransferHeader& header() const { return header_; }
  // The whole transfer, header to trailer.
  std::span<const std::byte> bytes() const { return bytes_; }
  Iterator begin() const { return {payload_, header_.flags}; }
  Iterator end() const { return {payload_.last(0), header_.flags}; }

 private:
  friend Result<TransferView> parse_transfer(std::span<const std::byte>, std::uint32_t);
  TransferHeader header_;
  std::span<const std::byte> bytes_;
  std::span<const std::byte> payload_;
};

// Checks everything that can be checked without the codec: sizes, crcs, version, tile indexes below
// `tile_count` and each at most once. `bytes` must be exactly one transfer. kCorrupt names the
// offending field; kUnsupported: another version.
Result<TransferView> parse_transfer(std::span<const std::byte> bytes, std::uint32_t tile_count);

// How many bytes the transfer at the start of `prefix` has; kFull while the prefix is too short to
// say (at least kHeaderFixedBytes are needed). For reading from a stream; checks magic, version and
// bounds, not the crc.
Result<std::size_t> transfer_bytes(std::span<const std::byte> prefix);

// The header alone (with its crc checked): enough to find the lane that a transfer belongs to.
Result<TransferHeader> parse_header(std::span<const std::byte> bytes);

// What is left until `due`, for a header: whole milliseconds, 0 when it has passed, kNoDeadline
// when it is never due. What does not fit says the most that does, 49 days.
constexpr std::uint32_t remaining_deadline_ms(Instant due, Instant now) {
  if (due == Instant::never()) {
    return kNoDeadline;
  }
  constexpr Duration kMost = Duration::ms(kNoDeadline - 1);
  return static_cast<std::uint32_t>(std::clamp(due - now, Duration::zero(), kMost).count_ms());
}

// Bytes of a header with so many origins, crc included.
constexpr std::size_t header_bytes(std::uint32_t origin_count) {
  return kHeaderFixedBytes + (origin_count * 4) + 4;
}

// Writes header and header crc at the front of `out`; `out` must be large enough.
void write_header(const TransferHeader& header, std::span<std::byte> out);
// Bytes of a tile's record in a transfer with such flags.
std::size_t tile_record_bytes(std::uint32_t tile, std::uint32_t coded_bytes, std::uint8_t flags);
// Writes it; the coded bytes follow it. `tile` is below kShortTilesMax where records are short.
void write_tile_record(std::uint32_t tile,
                       std::uint8_t codec,
                       std::uint32_t coded_bytes,
                       std::uint8_t flags,
                       std::span<std::byte> out);
// Writes the trailing crc over everything before it; `transfer` includes the trailer's 4 bytes.
void write_trailer(std::span<std::byte> transfer);

}  // namespace godwit::wire
