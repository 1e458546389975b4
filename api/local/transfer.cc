#include "api/local/transfer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "api/local/record_fields.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::local {
namespace {

constexpr std::size_t kTransferHeadBytes = 24;
constexpr std::size_t kSectionHeadBytes = 16;

std::size_t padded_to_8(std::size_t bytes) {
  return (bytes + 7) & ~std::size_t{7};
}

// Takes one section off the front of `bytes`; nothing when it is malformed.
std::optional<Section> take_section(std::span<const std::byte>& bytes) {
  ByteReader in(bytes);
  Section section;
  section.first = in.u64();
  section.count = in.u32();
  section.width = in.u8();
  const bool reserved_zero = in.u24() == 0;
  const bool known_width = std::has_single_bit(section.width) && section.width <= 8;
  if (!in.ok() || !reserved_zero || !known_width || !is_range(section.first, section.count)) {
    return std::nullopt;
  }
  const std::size_t value_bytes = std::size_t{section.count} * section.width;
  const std::size_t total = kSectionHeadBytes + padded_to_8(value_bytes);
  if (total > bytes.size()) {
    return std::nullopt;
  }
  section.values = bytes.subspan(kSectionHeadBytes, value_bytes);
  bytes = bytes.subspan(total);
  return section;
}

template <class Narrow>
void widen_from(std::span<const std::byte> bytes, std::span<std::int64_t> out) {
  const void* const place = bytes.data();
  const auto* const values = static_cast<const Narrow*>(place);
  std::copy(values, values + out.size(), out.begin());
}

template <class Narrow>
void narrow_to(std::span<const std::int64_t> values, std::byte* out) {
  for (const std::int64_t value : values) {
    const auto narrow = static_cast<Narrow>(value);
    std::memcpy(out, &narrow, sizeof(narrow));
    out += sizeof(narrow);
  }
}

std::uint8_t width_for(std::span<const std::int64_t> values) {
  // Folding each value with its sign gives the bits needed without the sign itself.
  std::uint64_t used = 0;
  for (const std::int64_t value : values) {
    used |= static_cast<std::uint64_t>(value ^ (value >> 63));
  }
  const auto bits = std::bit_width(used) + 1;
  return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

}  // namespace

Result<GatewayRecord> decode_transfer(std::span<const std::byte> body) {
  ByteReader in(body);
  Transfer record;
  const std::uint32_t handle = in.u32();
  record.topic = TopicHandle{handle};
  record.lane = in.u16();
  record.section_count = in.u16();
  record.k = in.u64();
  const std::uint64_t reserved = in.u64();
  record.sections = in.bytes(in.remaining());
  if (!in.ok() || handle >= kTopicsPerClientMax || record.lane >= kLanesMax || record.k == 0 ||
      reserved != 0 || !is_aligned(body)) {
    return corrupt("Transfer is malformed");
  }
  auto rest = record.sections;
  for (std::uint16_t i = 0; i < record.section_count; ++i) {
    if (!take_section(rest)) {
      return corrupt("Transfer has a malformed section");
    }
  }
  if (!rest.empty()) {
    return corrupt("Transfer has bytes behind its last section");
  }
  return record;
}

std::optional<Section> SectionReader::next() {
  if (left_ == 0) {
    return std::nullopt;
  }
  --left_;
  return take_section(bytes_);
}

void widen(const Section& section, std::span<std::int64_t> out) {
  GODWIT_ASSERT(out.size() == section.count);
  switch (section.width) {
    case 1:
      return widen_from<std::int8_t>(section.values, out);
    case 2:
      return widen_from<std::int16_t>(section.values, out);
    case 4:
      return widen_from<std::int32_t>(section.values, out);
    default:
      return widen_from<std::int64_t>(section.values, out);
  }
}

TransferWriter::TransferWriter(std::span<std::byte> body,
                               TopicHandle topic,
                               std::uint16_t lane,
                               std::uint64_t k)
    : body_(body), used_(kTransferHeadBytes) {
  GODWIT_ASSERT(body.size() >= kTransferHeadBytes && is_aligned(body));
  GODWIT_ASSERT(lane < kLanesMax && k >= 1);
  ByteWriter out(body_);
  out.u32(static_cast<std::uint32_t>(topic));
  out.u16(lane);
  out.u16(0);
  out.u64(k);
  out.u64(0);
}

bool TransferWriter::add(std::uint64_t first, std::span<const std::int64_t> values) {
  GODWIT_ASSERT(!values.empty() && is_range(first, values.size()));
  const std::uint8_t width = width_for(values);
  const std::size_t value_bytes = values.size() * width;
  const std::size_t total = kSectionHeadBytes + padded_to_8(value_bytes);
  if (total > body_.size() - used_ || section_count_ == std::numeric_limits<std::uint16_t>::max()) {
    return false;
  }
  ByteWriter out(body_.subspan(used_, total));
  out.u64(first);
  out.u32(static_cast<std::uint32_t>(values.size()));
  out.u8(width);
  out.u24(0);
  std::byte* const place = body_.data() + used_ + kSectionHeadBytes;
  switch (width) {
    case 1:
      narrow_to<std::int8_t>(values, place);
      break;
    case 2:
      narrow_to<std::int16_t>(values, place);
      break;
    case 4:
      narrow_to<std::int32_t>(values, place);
      break;
    default:
      narrow_to<std::int64_t>(values, place);
      break;
  }
  std::fill_n(place + value_bytes, padded_to_8(value_bytes) - value_bytes, std::byte{0});
  used_ += total;
  ++section_count_;
  return true;
}

std::span<const std::byte> TransferWriter::finish() {
  std::memcpy(body_.data() + 6, &section_count_, sizeof(section_count_));
  return body_.first(used_);
}

void readdress_transfer(std::span<std::byte> body, TopicHandle topic) {
  GODWIT_ASSERT(body.size() >= kTransferHeadBytes);
  ByteWriter(body).u32(static_cast<std::uint32_t>(topic));
}

bool send_transfer(Channel& channel, std::span<const std::byte> body) {
  return channel.send(static_cast<std::uint16_t>(RecordType::kTransfer), body);
}

}  // namespace godwit::local
