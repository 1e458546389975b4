#include "codec/xh/chunk.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "dataplane/base/assert.h"

namespace godwit::codec::xh {
namespace {

constexpr std::size_t kPad = 64;  // behind a plane
constexpr std::size_t kPlaneStride = kChunkElements + kPad;
constexpr std::size_t kMapBytes = kChunkElements / 8;
constexpr std::array<std::string_view, kPlanesMax> kPlaneNames = {
    "plane 0", "plane 1", "plane 2", "plane 3", "plane 4", "plane 5", "plane 6", "plane 7"};

// Whether leaving the zeros out saves more than the map takes, whatever else is in the chunk.
constexpr bool worth_gathering(std::size_t zeros, std::size_t count) {
  return zeros > count / 8 + 2;
}

Planes planes_in(std::vector<std::uint8_t>& bytes) {
  Planes planes{};
  for (std::size_t p = 0; p < kPlanesMax; ++p) {
    planes[p] = bytes.data() + p * kPlaneStride;
  }
  return planes;
}

// Whether a prefix code would save next to nothing, from one line of 64 bytes in 32: the low bytes
// of floats are noise, and counting all of them takes as long as everything else. Among even bytes
// of 256 kinds two are equal in 1 of 256 pairs; 1.35 times as many save some 0.3 bits a byte.
bool looks_like_noise(std::span<const std::uint8_t> plane) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kStride = 32 * kLine;
  if (plane.size() < 8 * kStride) {
    return false;
  }
  Counts counts{};
  std::size_t total = 0;
  for (std::size_t line = 0; line + kLine <= plane.size(); line += kStride) {
    for (std::size_t i = line; i < line + kLine; ++i) {
      ++counts[plane[i]];
    }
    total += kLine;
  }
  std::uint64_t equal = 0;  // pairs, in both orders
  for (const std::uint64_t count : counts) {
    equal += count * count - count;
  }
  return static_cast<double>(equal) < 1.35 / kSymbols * static_cast<double>(total * total);
}

// The bytes whose bits in `map` are set, moved together; returns their number.
std::size_t compress(std::uint8_t* bytes, std::size_t count, const std::uint8_t* map) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bytes[kept] = bytes[i];
    kept += unsigned{map[i / 8]} >> (i % 8) & 1U;
  }
  return kept;
}

// The inverse, from the end; `kept` bytes become `count`.
void expand(std::uint8_t* bytes, std::size_t kept, std::size_t count, const std::uint8_t* map) {
  for (std::size_t i = count; i-- > 0;) {
    const bool set = (unsigned{map[i / 8]} >> (i % 8) & 1U) != 0;
    bytes[i] = set ? bytes[--kept] : 0;
  }
}

}  // namespace

ChunkEncoder::ChunkEncoder()
    : plane_bytes_(kPlanesMax * kPlaneStride), planes_(planes_in(plane_bytes_)), map_(kMapBytes) {}

std::size_t ChunkEncoder::encode(Type type,
                                 std::span<const std::byte> values,
                                 std::span<const std::byte> base,
                                 std::span<std::byte> out) {
  const std::size_t planes = bytes_of(type);
  const std::size_t count = values.size() / planes;
  GODWIT_ASSERT(count >= 1 && count <= kChunkElements && values.size() == count * planes);
  GODWIT_ASSERT(base.empty() || base.size() == values.size());
  GODWIT_ASSERT(out.size() >= chunk_bytes_max(type, count));
  auto* const code = reinterpret_cast<std::uint8_t*>(out.data());
  std::uint8_t* at = code + 1;
  std::uint8_t flags = base.empty() ? 0 : kAgainstBase;
  const std::size_t zeros =
      split(type, values.data(), base.empty() ? nullptr : base.data(), count, planes_);
  std::size_t kept = count;
  if (worth_gathering(zeros, count)) {
    flags |= kGathered;
    kept = gather(planes, count);
    at = write_plane(std::span(map_).first((count + 7) / 8), at);
  }
  code[0] = flags;
  for (std::size_t p = planes; p-- > 0 && kept > 0;) {
    at = write_plane({planes_[p], kept}, at);
  }
  return static_cast<std::size_t>(at - code);
}

// Leaves the words that are zero out of the planes, and says in the map which are left.
std::size_t ChunkEncoder::gather(std::size_t planes, std::size_t count) {
  std::fill(map_.begin(), map_.end(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t any = 0;
    for (std::size_t p = 0; p < planes; ++p) {
      any |= planes_[p][i];
    }
    map_[i / 8] |= static_cast<std::uint8_t>((any != 0 ? 1U : 0U) << (i % 8));
  }
  std::size_t kept = 0;
  for (std::size_t p = 0; p < planes; ++p) {
    kept = compress(planes_[p], count, map_.data());
  }
  return kept;
}

std::uint8_t* ChunkEncoder::write_plane(std::span<const std::uint8_t> plane,
                                        std::uint8_t* out) const {
  if (!looks_like_noise(plane)) {
    const ByteRange range = range_of(plane.data(), plane.size());
    if (range.least == range.greatest) {
      *out++ = static_cast<std::uint8_t>(Plane::kConstant);
      *out++ = range.least;
      return out;
    }
    const PrefixWriter writer(best_lengths(estimated_counts(plane, range)));
    if (writer.description_bytes() < plane.size()) {
      out[0] = static_cast<std::uint8_t>(Plane::kCoded);
      // Within the room of a raw plane, which is written over it where that is not enough.
      const std::uint8_t* const limit = out + 1 + plane.size();
      if (auto* const end = writer.write(plane, writer.describe(out + 1), limit)) {
        return end;
      }
    }
  }
  *out++ = static_cast<std::uint8_t>(Plane::kRaw);
  return std::copy(plane.begin(), plane.end(), out);
}

ChunkDecoder::ChunkDecoder()
    : plane_bytes_(kPlanesMax * kPlaneStride),
      planes_(planes_in(plane_bytes_)),
      map_(kMapBytes),
      code_(chunk_bytes_max(Type::kInt64, kChunkElements) + kPad) {}

Result<void> ChunkDecoder::decode(Type type,
                                  std::span<const std::byte> coded,
                                  std::span<const std::byte> base,
                                  std::span<std::byte> values) {
  const std::size_t planes = bytes_of(type);
  const std::size_t count = values.size() / planes;
  GODWIT_ASSERT(count >= 1 && count <= kChunkElements && values.size() == count * planes);
  GODWIT_ASSERT(base.empty() || base.size() == values.size());
  if (coded.empty() || coded.size() > chunk_bytes_max(type, count)) {
    return fail(
        Code::kCorrupt, "xh: {} bytes for {} elements of {}", coded.size(), count, to_string(type));
  }
  // Cursors look behind the end.
  std::memcpy(code_.data(), coded.data(), coded.size());
  std::memset(code_.data() + coded.size(), 0, kPad);
  std::span<const std::uint8_t> rest(code_.data(), coded.size());
  const std::uint8_t flags = rest[0];
  rest = rest.subspan(1);
  if ((flags & ~(kAgainstBase | kGathered)) != 0) {
    return fail(Code::kCorrupt, "xh: flags {:#x} are not known", flags);
  }
  if (((flags & kAgainstBase) != 0) == base.empty()) {
    return fail(Code::kInvalid,
                "xh: the chunk is made {} a base, and there is {}",
                base.empty() ? "against" : "without",
                base.empty() ? "none" : "one");
  }
  const auto take = [&](std::span<std::uint8_t> plane, std::string_view name) -> Result<void> {
    const auto read = read_plane(rest, plane);
    if (!read) {
      return fail(read.error().code, "xh: {}: {}", name, read.error().message);
    }
    rest = rest.subspan(*read);
    return {};
  };
  std::size_t kept = count;
  if ((flags & kGathered) != 0) {
    const auto map = std::span(map_).first((count + 7) / 8);
    if (auto ok = take(map, "the map"); !ok) {
      return ok;
    }
    if (count % 8 != 0 && map.back() >> (count % 8) != 0) {
      return fail(Code::kCorrupt, "xh: the map names elements behind the last");
    }
    kept = 0;
    for (const std::uint8_t byte : map) {
      kept += static_cast<std::size_t>(std::popcount(byte));
    }
  }
  for (std::size_t p = planes; p-- > 0;) {
    if (kept > 0) {
      if (auto ok = take({planes_[p], kept}, kPlaneNames[p]); !ok) {
        return ok;
      }
    }
    if (kept < count) {
      expand(planes_[p], kept, count, map_.data());
    }
  }
  if (!rest.empty()) {
    return fail(Code::kCorrupt, "xh: {} bytes behind the last plane", rest.size());
  }
  join(type, planes_, base.empty() ? nullptr : base.data(), count, values.data());
  return {};
}

// Returns the bytes that the plane took of `coded`.
Result<std::size_t> ChunkDecoder::read_plane(std::span<const std::uint8_t> coded,
                                             std::span<std::uint8_t> plane) {
  if (coded.empty()) {
    return fail(Code::kCorrupt, "is missing");
  }
  const auto mode = static_cast<Plane>(coded[0]);
  coded = coded.subspan(1);
  switch (mode) {
    case Plane::kRaw:
      if (coded.size() < plane.size()) {
        return fail(Code::kCorrupt, "{} bytes are cut to {}", plane.size(), coded.size());
      }
      std::copy_n(coded.begin(), plane.size(), plane.begin());
      return 1 + plane.size();
    case Plane::kConstant:
      if (coded.empty()) {
        return fail(Code::kCorrupt, "its one byte is missing");
      }
      std::fill(plane.begin(), plane.end(), coded[0]);
      return 2;
    case Plane::kCoded: {
      const auto described = reader_.learn(coded);
      if (!described) {
        return described;
      }
      const auto read = reader_.read(coded.subspan(*described), plane);
      if (!read) {
        return read;
      }
      return 1 + *described + *read;
    }
  }
  return fail(Code::kCorrupt, "mode {} is not known", static_cast<unsigned>(mode));
}

}  // namespace godwit::codec::xh
