#include "codec/row/row.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "codec/bpc/decoder.h"
#include "codec/bpc/format.h"
#include "codec/kernels.h"
#include "codec/row/format.h"
#include "codec/row/structure.h"
#include "codec/row/vector_kernels.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::codec::row {
namespace {

// Whether some rows may be untouched: of elements that no likely width divides the distance of, one
// in sixteen is 0.
bool has_zeros(std::span<const std::int64_t> open) {
  constexpr std::size_t kStride = 257;
  constexpr std::size_t kOneIn = 16;
  std::size_t zeros = 0;
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < open.size(); i += kStride) {
    zeros += open[i] == 0 ? 1U : 0U;
    ++looked_at;
  }
  return kOneIn * zeros >= looked_at;
}

// Where fewer than one in so many is 0, of the sub-blocks that hold any, there is nothing to save.
constexpr std::size_t kFullFrom = 16;

// The elements of the sub-blocks that BPC cannot pass over, because there are ones in them.
std::size_t elements_around(const BitMap& ones, std::size_t elements) {
  std::size_t count = 0;
  for (std::size_t sub = 0; sub < bpc::sub_blocks_of(elements); ++sub) {
    std::uint64_t any = 0;
    for (std::size_t word = sub * bpc::kSubWords; word < (sub + 1) * bpc::kSubWords; ++word) {
      any |= ones[word];
    }
    count += any != 0 ? std::min(bpc::kSubBlock, elements - sub * bpc::kSubBlock) : 0;
  }
  return count;
}

}  // namespace

struct Encoder::Buffers {
  BitMap nonzero{};
  BitMap above{};  // the floor
  BitMap named{};
  std::array<std::int64_t, kTileElements> gathered{};
  std::array<std::uint8_t, set_bytes_max(kTileElements) + kSetPad> set{};
  std::array<std::byte, sparse_bytes_max(kTileElements)> list_code{};
  bpc::Encoder planes;
  sparse_list::Encoder list;
};

Encoder::Encoder() : buffers_(std::make_unique<Buffers>()) {}
Encoder::~Encoder() = default;

void Encoder::load(std::span<const std::int64_t> open) {
  GODWIT_ASSERT(!open.empty() && open.size() <= kTileElements);
  open_ = open;
  max_abs_ = max_abs(open);
  energy_ = energy(open);
  GODWIT_ASSERT(max_abs_ < std::uint64_t{kValueLimit}, "the door lets nothing larger in");
  sub_block_max_ = {};
  floor_.reset();
}

void Encoder::load(std::span<const std::int64_t> open, const bpc::Encoder& planes) {
  open_ = open;
  max_abs_ = planes.max_abs();
  energy_ = planes.energy();
  sub_block_max_ = planes.sub_block_max();
  floor_.reset();
}

// Sub-blocks that are known to have none are not looked at.
void Encoder::mark_above(std::uint64_t floor, BitMap& bits) const {
  bits.fill(0);
  for (std::size_t sub = 0; sub < bpc::sub_blocks_of(open_.size()); ++sub) {
    if (sub_block_max_.empty() || sub_block_max_[sub] > floor) {
      const std::size_t first = sub * bpc::kSubBlock;
      const std::size_t count = std::min(bpc::kSubBlock, open_.size() - first);
      bits_above(open_.subspan(first, count), floor, &bits[sub * bpc::kSubWords]);
    }
  }
}

// Looks for rows, and which of them have an element above `floor`.
bool Encoder::find(std::uint64_t floor) {
  if (floor_ == floor) {
    return found_;
  }
  floor_ = floor;
  found_ = false;
  Buffers& b = *buffers_;
  if (max_abs_ <= floor || !has_zeros(open_)) {
    return false;
  }
  mark_above(floor, b.above);
  above_ = count_ones(b.above);
  const std::size_t around = elements_around(b.above, open_.size());
  if (kFullFrom * above_ >= (kFullFrom - 1) * around) {
    return false;
  }
  b.nonzero = b.above;
  if (floor > 0) {
    mark_above(0, b.nonzero);
  }
  close_gaps(b.nonzero);
  const auto rows = find_rows(b.nonzero, open_.size());
  if (!rows) {
    return false;
  }
  rows_ = *rows;
  close_gaps(b.above);
  b.named = rows_with(rows_, b.above);
  named_elements_ = elements_in(rows_, b.named);
  set_size_ = {count_ones(b.named), rows_.count()};
  set_code_ = shortest_set(b.named, set_size_);
  saved_bits_ = std::log2(static_cast<double>(around) / static_cast<double>(named_elements_));
  found_ = true;
  loaded_ = false;
  return true;
}

void Encoder::load_rows() {
  Buffers& b = *buffers_;
  gather(rows_, b.named, open_, b.gathered);
  const auto gathered = std::span(b.gathered).first(named_elements_);
  b.planes.load(gathered);
  b.list.load(gathered, b.planes.max_abs(), b.planes.energy());
  loaded_ = true;
}

// Where a zero could as well be of another row, the position of each element that is sent costs as
// many bits more as there are more places for it. An element that is sent takes about a byte.
bool Encoder::pays(Budget budget) {
  if (!find(budget.floor)) {
    return false;
  }
  const auto sent = static_cast<double>(std::min(above_, budget.bytes));
  constexpr double kMargin = 1.25;  // chosen: estimates are this good
  return sent * saved_bits_ > kMargin * 8 * static_cast<double>(head_bytes());
}

// In front of the inner code.
std::size_t Encoder::head_bytes() const {
  return kHeadBytes + varint_bytes(set_size_.count - 1) + set_code_.bytes;
}

Encoded Encoder::encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  const std::size_t room = std::min({budget.bytes, out.size(), coded_bytes_max(open_.size())});
  complete_ = false;
  if (find(budget.floor) && head_bytes() < room) {
    const Encoded done = encode_rows({room, budget.floor}, out, removed);
    if (done.bytes != 0) {
      return done;
    }
  }
  std::fill(removed.begin(), removed.end(), 0);
  return {Id::kRow, 0, max_abs_, energy_, energy_};
}

Encoded Encoder::encode_rows(Budget budget,
                             std::span<std::byte> out,
                             std::span<std::int64_t> removed) {
  Buffers& b = *buffers_;
  if (!loaded_) {
    load_rows();
  }
  const Budget inner{budget.bytes - head_bytes(), budget.floor};
  const auto by_planes = removed.last(named_elements_);
  b.planes.use_finer_steps(accepts_.finer_steps);
  Encoded done = b.planes.encode(inner, out.subspan(head_bytes()), by_planes);
  complete_ = b.planes.complete();
  // What the list removes is held at the other end meanwhile.
  if (accepts_.sparse_list && inner.bytes <= sparse_bytes_max(named_elements_) &&
      2 * named_elements_ <= removed.size()) {
    const auto by_list = removed.first(named_elements_);
    const Encoded listed = b.list.encode(inner, b.list_code, by_list);
    if (listed.energy_after < done.energy_after) {
      done = listed;
      complete_ = listed.remainder_max <= budget.floor;
      std::copy(by_list.begin(), by_list.end(), by_planes.begin());
      std::memcpy(out.data() + head_bytes(), b.list_code.data(), listed.bytes);
    }
  }
  if (done.bytes == 0) {
    return done;
  }
  write_head(done.id, out);
  scatter(rows_, b.named, removed);
  // Rows without an element above a floor of 0 have nothing to leave.
  const Remainder left = budget.floor == 0 ? Remainder{done.remainder_max, done.energy_after}
                                           : remainder(open_, removed);
  return {Id::kRow, head_bytes() + done.bytes, left.max, energy_, left.energy};
}

void Encoder::write_head(Id inner, std::span<std::byte> out) const {
  const Head head{rows_.width, rows_.phase, inner, set_code_.form};
  ByteWriter writer(out.first(head_bytes()));
  writer.u16(head.first());
  writer.u16(head.second());
  writer.varint(set_size_.count - 1);
  Buffers& b = *buffers_;
  write_set(head.form, b.named, set_size_, b.set.data());
  writer.bytes(std::as_bytes(std::span(b.set).first(set_code_.bytes)));
  GODWIT_ASSERT(writer.ok() && writer.remaining() == 0);
}

struct Decoder::Buffers {
  BitMap named{};
  std::array<std::uint8_t, set_bytes_max(kTileElements) + kSetPad> set{};
  bpc::Decoder planes;
  sparse_list::Decoder list;
};

Decoder::Decoder() : buffers_(std::make_unique<Buffers>()) {}
Decoder::~Decoder() = default;

Result<void> Decoder::decode(std::span<const std::byte> coded, std::span<std::int64_t> out) {
  GODWIT_ASSERT(!out.empty() && out.size() <= kTileElements);
  Buffers& b = *buffers_;
  ByteReader reader(coded);
  const std::uint16_t first = reader.u16();
  const Head head = Head::unpack(first, reader.u16());
  const std::uint64_t count = reader.varint();  // less one
  const std::size_t at = reader.position();
  if (!reader.ok() || head.phase >= head.width || head.phase >= out.size()) {
    return fail(Code::kCorrupt,
                "row: {} bytes for {} elements, rows of {} from {} on",
                coded.size(),
                out.size(),
                head.width,
                head.phase);
  }
  const Rows rows{out.size(), head.width, head.phase};
  const bool shortest = at == kHeadBytes + 1 || coded[at - 1] != std::byte{0};
  if (count >= rows.count() || !shortest) {
    return fail(Code::kCorrupt, "row: {} and one of {} rows are named", count, rows.count());
  }
  // Readers look behind the end.
  const std::size_t most = std::min(set_bytes_max(rows.count()), reader.remaining());
  std::memcpy(b.set.data(), coded.data() + at, most);
  std::memset(b.set.data() + most, 0, kSetPad);
  const auto set_bytes = read_set(
      head.form, {static_cast<std::size_t>(count) + 1, rows.count()}, b.set.data(), most, b.named);
  if (!set_bytes) {
    return fail(Code::kCorrupt, "row: the set of {} rows is malformed", rows.count());
  }
  TileDecoder& inner = head.inner == Id::kBpc ? static_cast<TileDecoder&>(b.planes) : b.list;
  auto decoded = inner.decode(coded.subspan(at + *set_bytes), out.last(elements_in(rows, b.named)));
  if (decoded) {
    scatter(rows, b.named, out);
  }
  return decoded;
}

}  // namespace godwit::codec::row
