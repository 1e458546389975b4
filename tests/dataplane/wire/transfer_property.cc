// Laws of the transfer format: what is written is read back, and nothing else passes.
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "dataplane/wire/transfer.h"

namespace godwit::wire {
namespace {

struct Written {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> tiles;
};

Written random_transfer(Random& random, std::uint32_t tile_count) {
  TransferHeader header;
  header.topic = TopicId(random.next());
  header.shard = static_cast<std::uint16_t>(random.next());
  header.from = SiteId(static_cast<std::uint32_t>(random.next()));
  header.to = random.next();
  header.k = 1 + random.below(1U << 30U);
  header.coverage = random.next();
  header.checksum = random.below((std::uint64_t{1} << 61U) - 1);
  header.cumulative = random.below((std::uint64_t{1} << 61U) - 1);
  header.origin_count = static_cast<std::uint8_t>(random.below(kOriginsMax + 1));
  header.flags = random.chance(0.5) ? kFlagShortRecords : std::uint8_t{0};
  Written result;
  std::vector<std::byte> payload;
  for (std::uint32_t tile = 0; tile < tile_count; ++tile) {
    if (random.chance(0.5)) {
      const auto size = static_cast<std::uint32_t>(random.below(200));
      std::vector<std::byte> record(tile_record_bytes(tile, size, header.flags) + size,
                                    std::byte{0x5A});
      write_tile_record(
          tile, static_cast<std::uint8_t>(random.below(8)), size, header.flags, record);
      payload.insert(payload.end(), record.begin(), record.end());
      result.tiles.push_back(tile);
    }
  }
  header.tile_count = static_cast<std::uint16_t>(result.tiles.size());
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  result.bytes.resize(header_bytes(header.origin_count) + payload.size() + kTrailerBytes);
  write_header(header, result.bytes);
  std::copy(payload.begin(),
            payload.end(),
            result.bytes.begin() + static_cast<std::ptrdiff_t>(header_bytes(header.origin_count)));
  write_trailer(result.bytes);
  return result;
}

RC_GTEST_PROP(TransferLaw, IsReadBackAsItWasWritten, (std::uint64_t seed)) {
  Random random(seed);
  const Written written = random_transfer(random, 100);
  const auto view = parse_transfer(written.bytes, 100);
  RC_ASSERT(view.has_value());
  std::vector<std::uint32_t> tiles;
  for (const TilePart part : *view) {
    tiles.push_back(part.tile);
  }
  RC_ASSERT(tiles == written.tiles);
  RC_ASSERT(transfer_bytes(written.bytes).value() == written.bytes.size());
}

RC_GTEST_PROP(TransferLaw, NoDamagePasses, (std::uint64_t seed)) {
  Random random(seed);
  Written written = random_transfer(random, 20);
  const auto at = random.below(written.bytes.size());
  written.bytes[at] ^= static_cast<std::byte>(1 + random.below(255));
  RC_ASSERT(!parse_transfer(written.bytes, 20).has_value());
}

}  // namespace
}  // namespace godwit::wire
