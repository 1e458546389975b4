#include "codec/xh/snapshot.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

namespace godwit::codec::xh {
namespace {

constexpr std::uint32_t kMagic = 0x48585747;  // "GWXH"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kEntryBytes = 12;  // of the index
constexpr std::size_t kChecksumBytes = 4;

// Header, index and their checksum: where the first chunk begins.
constexpr std::size_t front_bytes(std::size_t chunks) {
  return kHeaderBytes + chunks * kEntryBytes + kChecksumBytes;
}

struct IndexEntry {
  std::uint64_t end = 0;       // of the chunk, from the beginning of the snapshot
  std::uint32_t checksum = 0;  // of its elements
};

IndexEntry index_entry(std::span<const std::byte> snapshot, std::size_t chunk) {
  ByteReader reader(snapshot.subspan(kHeaderBytes + chunk * kEntryBytes, kEntryBytes));
  IndexEntry entry;
  entry.end = reader.u64();
  entry.checksum = reader.u32();
  return entry;
}

}  // namespace

std::vector<std::byte> write_snapshot(Type type,
                                      std::span<const std::byte> values,
                                      std::span<const std::byte> base) {
  const std::size_t width = bytes_of(type);
  GODWIT_ASSERT(values.size() % width == 0 && (base.empty() || base.size() == values.size()));
  const std::size_t elements = values.size() / width;
  const std::size_t chunks = (elements + kChunkElements - 1) / kChunkElements;
  std::vector<std::byte> out(front_bytes(chunks));
  ByteWriter front(out);
  front.u32(kMagic);
  front.u8(kVersion);
  front.u8(static_cast<std::uint8_t>(type));
  front.u8(base.empty() ? 0 : kAgainstBase);
  front.u8(0);
  front.u64(elements);
  ChunkEncoder encoder;
  std::vector<std::byte> index(chunks * kEntryBytes);
  ByteWriter entries(index);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    const std::size_t first = chunk * kChunkElements;
    const std::size_t count = std::min(kChunkElements, elements - first);
    const auto part = values.subspan(first * width, count * width);
    const auto beside = base.empty() ? base : base.subspan(first * width, count * width);
    const std::size_t begin = out.size();
    out.resize(begin + chunk_bytes_max(type, count));
    out.resize(begin + encoder.encode(type, part, beside, std::span(out).subspan(begin)));
    entries.u64(out.size());
    entries.u32(crc32c(part));
  }
  std::copy(index.begin(), index.end(), out.begin() + kHeaderBytes);
  const std::size_t checked = front_bytes(chunks) - kChecksumBytes;
  ByteWriter(std::span(out).subspan(checked)).u32(crc32c(std::span(out).first(checked)));
  return out;
}

Result<Snapshot> Snapshot::open(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  if (reader.u32() != kMagic) {
    return fail(Code::kCorrupt, "snapshot: does not begin with GWXH");
  }
  if (const unsigned version = reader.u8(); version != kVersion) {
    return fail(Code::kUnsupported, "snapshot: version {} is not known here", version);
  }
  const std::uint8_t type = reader.u8();
  const std::uint8_t flags = reader.u8();
  const std::uint8_t zero = reader.u8();
  const std::uint64_t elements = reader.u64();
  if (!reader.ok()) {
    return fail(Code::kCorrupt, "snapshot: {} bytes are less than its header", bytes.size());
  }
  if (type >= kTypes) {
    return fail(Code::kUnsupported, "snapshot: elements of type {} are not known here", type);
  }
  if ((flags & ~kAgainstBase) != 0 || zero != 0) {
    return fail(Code::kCorrupt, "snapshot: flags {:#x} {:#x}", flags, zero);
  }
  // Each chunk has an entry here, so this bounds the number before anything is computed from it.
  if (elements / kChunkElements > bytes.size() / kEntryBytes) {
    return fail(Code::kCorrupt, "snapshot: {} elements in {} bytes", elements, bytes.size());
  }
  Snapshot snapshot;
  snapshot.bytes_ = bytes;
  snapshot.type_ = Type{type};
  snapshot.elements_ = elements;
  snapshot.against_base_ = flags != 0;
  snapshot.chunks_ = (elements + kChunkElements - 1) / kChunkElements;
  const std::size_t front = front_bytes(snapshot.chunks_);
  if (front > bytes.size()) {
    return fail(Code::kCorrupt, "snapshot: the index of {} chunks is cut", snapshot.chunks_);
  }
  ByteReader checksum(bytes.subspan(front - kChecksumBytes));
  if (checksum.u32() != crc32c(bytes.first(front - kChecksumBytes))) {
    return fail(Code::kCorrupt, "snapshot: header and index do not have their checksum");
  }
  std::uint64_t at = front;
  for (std::size_t chunk = 0; chunk < snapshot.chunks_; ++chunk) {
    const std::uint64_t end = index_entry(bytes, chunk).end;
    if (end <= at || end > bytes.size()) {
      return fail(Code::kCorrupt, "snapshot: chunk {} ends at {} of {}", chunk, end, bytes.size());
    }
    at = end;
  }
  if (at != bytes.size()) {
    return fail(Code::kCorrupt, "snapshot: {} bytes behind the last chunk", bytes.size() - at);
  }
  return snapshot;
}

std::size_t Snapshot::elements_of(std::size_t chunk) const {
  GODWIT_ASSERT(chunk < chunks_);
  return std::min<std::uint64_t>(kChunkElements, elements_ - first_of(chunk));
}

Result<void> Snapshot::read(std::size_t chunk,
                            std::span<const std::byte> base,
                            ChunkDecoder& decoder,
                            std::span<std::byte> values) const {
  GODWIT_ASSERT(values.size() == elements_of(chunk) * bytes_of(type_));
  const IndexEntry entry = index_entry(bytes_, chunk);
  const std::uint64_t begin =
      chunk == 0 ? front_bytes(chunks_) : index_entry(bytes_, chunk - 1).end;
  auto decoded = decoder.decode(type_, bytes_.subspan(begin, entry.end - begin), base, values);
  if (!decoded) {
    return fail(decoded.error().code, "snapshot: chunk {}: {}", chunk, decoded.error().message);
  }
  if (crc32c(values) != entry.checksum) {
    return fail(Code::kCorrupt,
                "snapshot: chunk {} decodes to other elements than were written{}",
                chunk,
                against_base_ ? ", perhaps against another base" : "");
  }
  return {};
}

}  // namespace godwit::codec::xh
