#include "codec/bpc/decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/bpc/bit_reading.h"
#include "codec/bpc/format.h"
#include "codec/bpc/vector_kernels.h"
#include "dataplane/base/assert.h"

namespace godwit::codec::bpc {
namespace {

using PlaneBits = std::array<std::uint64_t, kWords>;

}  // namespace

struct Decoder::Buffers {
  std::array<PlaneBits, kPlanes> planes;
  Maps maps;
  Strings strings;
  std::array<std::uint8_t, coded_bytes_max(kTileElements) + kReadAhead> code;
};

Decoder::Decoder() : buffers_(std::make_unique<Buffers>()) {}
Decoder::~Decoder() = default;

Result<void> Decoder::decode(std::span<const std::byte> coded, std::span<std::int64_t> out) {
  GODWIT_ASSERT(!out.empty() && out.size() <= kTileElements);
  if (coded.size() <= kHeaderBytes || coded.size() > coded_bytes_max(out.size())) {
    return fail(Code::kCorrupt, "bpc: {} bytes for {} elements", coded.size(), out.size());
  }
  Buffers& b = *buffers_;
  std::memcpy(b.code.data(), coded.data(), coded.size());
  std::memset(b.code.data() + coded.size(), 0, kReadAhead);
  std::uint32_t header = 0;
  std::memcpy(&header, b.code.data(), kHeaderBytes);
  const auto extent = unpack(header, out.size());
  if (!extent) {
    return fail(Code::kCorrupt, "bpc: header {:06x} for {} elements", header, out.size());
  }

  const std::size_t subs = sub_blocks_of(out.size());
  const BitReading& reading = bit_reading();
  const std::uint8_t* at = b.code.data() + kHeaderBytes;
  const std::uint8_t* const end = b.code.data() + coded.size();
  b.maps.reset(out.size());
  b.maps.signs.fill(0);
  for (int segment = 0; segment < extent->segments; ++segment) {
    const int plane = extent->top - (segment + 1) / 2;
    const bool refinement = segment != 0 && segment % 2 == 0;
    const bool last = segment + 1 == extent->segments;
    const std::size_t cut = last ? static_cast<std::size_t>(extent->cut) : subs;
    PlaneBits& bits = b.planes[static_cast<std::size_t>(plane)];
    if (!refinement) {
      at = reading.significance(b.maps, cut, b.strings, at, end);
      if (at == nullptr) {
        return fail(Code::kCorrupt, "bpc: significance of plane {}: {}", plane, b.maps.fault);
      }
      std::copy_n(b.maps.fresh.begin(), cut * kSubWords, bits.begin());
      std::fill(bits.begin() + static_cast<std::ptrdiff_t>(cut * kSubWords), bits.end(), 0);
    } else {
      at = reading.refinement(b.maps, cut, at, end);
      if (at == nullptr) {
        return fail(Code::kCorrupt, "bpc: refinement of plane {}: {}", plane, b.maps.fault);
      }
      for (std::size_t word = 0; word < cut * kSubWords; ++word) {
        bits[word] |= b.maps.bits[word];
      }
    }
    if (last || refinement || segment == 0) {
      b.maps.settle(refinement ? subs : cut);
    }
  }
  if (at != end) {
    return fail(Code::kCorrupt, "bpc: {} bytes behind the last segment", end - at);
  }

  const Rules rules = rules_of(*extent);
  for (std::size_t sub = 0; sub < subs; ++sub) {
    const std::size_t first = sub * kSubBlock;
    const std::size_t count = std::min(kSubBlock, out.size() - first);
    if (b.maps.significant_count[sub] == 0) {
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(first), count, 0);
      continue;
    }
    alignas(64) std::array<std::uint16_t, kSubBlock> magnitudes{};
    for (int plane = extent->last_plane(); plane <= extent->top; ++plane) {
      insert_plane(&b.planes[static_cast<std::size_t>(plane)][sub * kSubWords],
                   kSubWords,
                   plane,
                   magnitudes.data());
    }
    const Rule& rule = sub < static_cast<std::size_t>(extent->cut) ? rules.before : rules.after;
    reconstruct(magnitudes.data(), &b.maps.signs[sub * kSubWords], count, rule, out.data() + first);
  }
  return {};
}

}  // namespace godwit::codec::bpc
