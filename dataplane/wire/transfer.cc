#include "dataplane/wire/transfer.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

namespace godwit::wire {

namespace {

constexpr std::uint16_t kMagic = 0x5747;  // "GW"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kFieldPrime = (std::uint64_t{1} << 61U) - 1;

// The least record that there is.
constexpr std::size_t record_bytes_min(std::uint8_t flags) {
  return (flags & kFlagShortRecords) != 0 ? 3 : kTileRecordBytes;
}

// A record and the code behind it. The reader has failed where they do not fit, or where a number
// has more bytes than it needs.
TilePart read_part(ByteReader& reader, std::uint8_t flags) {
  constexpr std::uint64_t kMost = 0xFFFFFFFF;
  TilePart part;
  if ((flags & kFlagShortRecords) == 0) {
    part.tile = reader.u32();
    part.codec = reader.u8();
    part.coded = reader.bytes(reader.u24());
    return part;
  }
  const std::size_t begin = reader.position();
  const std::uint64_t tile = reader.varint();
  part.codec = reader.u8();
  const std::uint64_t coded = reader.varint();
  const bool canonical =
      reader.ok() && tile <= kMost && coded <= kMost &&
      reader.position() - begin == tile_record_bytes(static_cast<std::uint32_t>(tile),
                                                     static_cast<std::uint32_t>(coded),
                                                     flags);
  part.tile = static_cast<std::uint32_t>(tile);
  part.coded = reader.bytes(canonical ? static_cast<std::size_t>(coded) : reader.remaining() + 1);
  return part;
}

// Reads magic to the origins; the crc is the caller's task. `reader` must hold the fixed part.
Result<TransferHeader> read_fields(ByteReader& reader) {
  TransferHeader header;
  if (reader.remaining() < kHeaderFixedBytes) {
    return fail(Code::kFull, "transfer: the fixed part of the header is not complete");
  }
  if (reader.u16() != kMagic) {
    return fail(Code::kCorrupt, "transfer: does not begin with GW");
  }
  const std::uint8_t version = reader.u8();
  if (version != kVersion) {
    return fail(Code::kUnsupported, "transfer: version {}, this build reads 1", version);
  }
  header.flags = reader.u8();
  header.topic = TopicId(reader.u64());
  header.shard = reader.u16();
  header.traffic_class = reader.u8();
  header.origin_count = reader.u8();
  header.tenant = reader.u32();
  header.from = SiteId(reader.u32());
  header.to = reader.u64();
  header.from_incarnation = Incarnation::from_packed(reader.u64());
  header.to_incarnation = Incarnation::from_packed(reader.u64());
  header.k = reader.u64();
  header.remaining_deadline_ms = reader.u32();
  header.coverage = reader.u64();
  header.checksum = reader.u64();
  header.cumulative = reader.u64();
  header.tile_count = reader.u16();
  header.payload_bytes = reader.u32();
  if ((header.flags & ~kFlagsKnown) != 0) {
    return fail(Code::kCorrupt, "transfer: unknown flags {:#x}", header.flags);
  }
  if (header.origin_count > kOriginsMax) {
    return fail(
        Code::kCorrupt, "transfer: {} origins, at most {}", header.origin_count, kOriginsMax);
  }
  if (header.tile_count > kTransferTilesMax) {
    return fail(
        Code::kCorrupt, "transfer: {} tiles, at most {}", header.tile_count, kTransferTilesMax);
  }
  if (header.payload_bytes < header.tile_count * record_bytes_min(header.flags) ||
      header_bytes(header.origin_count) + header.payload_bytes + kTrailerBytes >
          kTransferBytesMax) {
    return fail(Code::kCorrupt, "transfer: payload of {} bytes", header.payload_bytes);
  }
  if (header.checksum >= kFieldPrime || header.cumulative >= kFieldPrime) {
    return fail(Code::kCorrupt, "transfer: a checksum outside the field 2^61-1");
  }
  return header;
}

std::size_t size_of(const TransferHeader& header) {
  return header_bytes(header.origin_count) + header.payload_bytes + kTrailerBytes;
}

// Walks the tile records: sizes add up, every tile known and at most once.
Result<void> check_tiles(std::span<const std::byte> payload,
                         const TransferHeader& header,
                         std::uint32_t tile_count) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the loop writes all that is read.
  std::array<std::uint32_t, kTransferTilesMax> seen;
  const std::uint32_t expected = header.tile_count;
  ByteReader reader(payload);
  for (std::uint32_t i = 0; i < expected; ++i) {
    const std::uint32_t tile = read_part(reader, header.flags).tile;
    if (!reader.ok()) {
      return fail(Code::kCorrupt, "transfer: tile record {} runs past the payload", i);
    }
    if (tile >= tile_count) {
      return fail(Code::kCorrupt, "transfer: tile {} of {}", tile, tile_count);
    }
    seen[i] = tile;
  }
  if (reader.remaining() != 0) {
    return fail(
        Code::kCorrupt, "transfer: {} bytes after the last tile record", reader.remaining());
  }
  std::sort(seen.begin(), seen.begin() + expected);
  if (const auto* twice = std::adjacent_find(seen.begin(), seen.begin() + expected);
      twice != seen.begin() + expected) {
    return fail(Code::kCorrupt, "transfer: tile {} twice", *twice);
  }
  return {};
}

}  // namespace

Result<TransferHeader> parse_header(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  auto header = read_fields(reader);
  if (!header) {
    return header;
  }
  for (std::uint32_t i = 0; i < header->origin_count; ++i) {
    header->origins[i] = SiteId(reader.u32());
  }
  const std::size_t covered = reader.position();
  const std::uint32_t crc = reader.u32();
  if (!reader.ok()) {
    return fail(Code::kFull, "transfer: the header is not complete");
  }
  if (crc != crc32c(bytes.first(covered))) {
    return fail(Code::kCorrupt, "transfer: crc of the header");
  }
  return header;
}

Result<std::size_t> transfer_bytes(std::span<const std::byte> prefix) {
  ByteReader reader(prefix);
  const auto header = read_fields(reader);
  if (!header) {
    return Failure(header.error());
  }
  return size_of(*header);
}

Result<TransferView> parse_transfer(std::span<const std::byte> bytes, std::uint32_t tile_count) {
  if (bytes.size() > kTransferBytesMax) {
    return fail(Code::kCorrupt, "transfer: {} bytes, at most {}", bytes.size(), kTransferBytesMax);
  }
  const auto header = parse_header(bytes);
  if (!header) {
    // A whole transfer was promised: what is missing will not come.
    const Code code = header.error().code == Code::kFull ? Code::kCorrupt : header.error().code;
    return fail(code, "{}", header.error().message);
  }
  if (size_of(*header) != bytes.size()) {
    return fail(
        Code::kCorrupt, "transfer: {} bytes, its header says {}", bytes.size(), size_of(*header));
  }
  ByteReader trailer(bytes.last(kTrailerBytes));
  if (trailer.u32() != crc32c(bytes.first(bytes.size() - kTrailerBytes))) {
    return fail(Code::kCorrupt, "transfer: crc of the whole");
  }
  if (header->k == 0) {
    return fail(Code::kCorrupt, "transfer: k is 0, numbers begin with 1");
  }
  TransferView view;
  view.header_ = *header;
  view.bytes_ = bytes;
  view.payload_ = bytes.subspan(header_bytes(header->origin_count), header->payload_bytes);
  if (auto checked = check_tiles(view.payload_, *header, tile_count); !checked) {
    return Failure(checked.error());
  }
  return view;
}

TilePart TransferView::Iterator::operator*() const {
  ByteReader reader(rest_);
  return read_part(reader, flags_);
}

TransferView::Iterator& TransferView::Iterator::operator++() {
  ByteReader reader(rest_);
  read_part(reader, flags_);
  rest_ = rest_.subspan(reader.position());
  return *this;
}

void write_header(const TransferHeader& header, std::span<std::byte> out) {
  GODWIT_ASSERT(header.origin_count <= kOriginsMax);
  ByteWriter writer(out);
  writer.u16(kMagic);
  writer.u8(kVersion);
  writer.u8(header.flags);
  writer.u64(header.topic.value());
  writer.u16(header.shard);
  writer.u8(header.traffic_class);
  writer.u8(header.origin_count);
  writer.u32(header.tenant);
  writer.u32(header.from.value());
  writer.u64(header.to);
  writer.u64(header.from_incarnation.packed());
  writer.u64(header.to_incarnation.packed());
  writer.u64(header.k);
  writer.u32(header.remaining_deadline_ms);
  writer.u64(header.coverage);
  writer.u64(header.checksum);
  writer.u64(header.cumulative);
  writer.u16(header.tile_count);
  writer.u32(header.payload_bytes);
  for (std::uint32_t i = 0; i < header.origin_count; ++i) {
    writer.u32(header.origins[i].value());
  }
  writer.u32(crc32c(writer.written()));
  GODWIT_ASSERT(writer.ok(), "the caller sized the header");
}

std::size_t tile_record_bytes(std::uint32_t tile, std::uint32_t coded_bytes, std::uint8_t flags) {
  return (flags & kFlagShortRecords) == 0
             ? kTileRecordBytes
             : varint_bytes(tile) + sizeof(std::uint8_t) + varint_bytes(coded_bytes);
}

void write_tile_record(std::uint32_t tile,
                       std::uint8_t codec,
                       std::uint32_t coded_bytes,
                       std::uint8_t flags,
                       std::span<std::byte> out) {
  ByteWriter writer(out);
  if ((flags & kFlagShortRecords) == 0) {
    writer.u32(tile);
    writer.u8(codec);
    writer.u24(coded_bytes);
  } else {
    GODWIT_ASSERT(tile < kShortTilesMax);
    writer.varint(tile);
    writer.u8(codec);
    writer.varint(coded_bytes);
  }
  GODWIT_ASSERT(writer.ok(), "the caller left room for the record");
}

void write_trailer(std::span<std::byte> transfer) {
  GODWIT_ASSERT(transfer.size() > kTrailerBytes);
  const std::size_t covered = transfer.size() - kTrailerBytes;
  ByteWriter writer(transfer.subspan(covered));
  writer.u32(crc32c(transfer.first(covered)));
}

}  // namespace godwit::wire
