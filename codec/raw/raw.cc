#include "codec/raw/raw.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/kernels.h"
#include "codec/simd/bits.h"
#include "dataplane/base/assert.h"

namespace godwit::codec::raw {
namespace {

constexpr unsigned kWidthMax = 63;  // |x| < 2^62 and a sign

// The low `width` bits of `word` as a signed integer.
std::int64_t sign_extended(std::uint64_t word, unsigned width) {
  return static_cast<std::int64_t>(word << (64U - width)) >> (64U - width);
}

}  // namespace

Encoder::Encoder() : scratch_(coded_bytes_max(kTileElements) + sizeof(std::uint64_t)) {}

void Encoder::load(std::span<const std::int64_t> open) {
  load(open, max_abs(open), energy(open));
}

void Encoder::load(std::span<const std::int64_t> open, std::uint64_t max_abs, double energy) {
  GODWIT_ASSERT(!open.empty() && open.size() <= kTileElements);
  GODWIT_ASSERT(max_abs < std::uint64_t{kValueLimit}, "the door lets nothing larger in");
  open_ = open;
  max_abs_ = max_abs;
  energy_ = energy;
}

Encoded Encoder::encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  const unsigned width = width_of(max_abs_);
  const std::size_t bytes = bytes_of(width, open_.size());
  if (bytes > std::min(budget.bytes, out.size())) {
    std::fill(removed.begin(), removed.end(), 0);
    return {Id::kRaw, 0, max_abs_, energy_, energy_};
  }
  write(width, open_, out);
  std::copy(open_.begin(), open_.end(), removed.begin());
  return {Id::kRaw, bytes, 0, energy_, 0};
}

Encoded Encoder::encode_cut(Budget budget,
                            std::span<std::byte> out,
                            std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  const std::size_t room = std::min(budget.bytes, out.size());
  const std::size_t fits = room == 0 ? 0 : (room - 1) * 8 / open_.size();
  const auto width = static_cast<unsigned>(std::min<std::size_t>(width_of(max_abs_), fits));
  if (width < 2) {
    std::fill(removed.begin(), removed.end(), 0);
    return {Id::kRaw, 0, max_abs_, energy_, energy_};
  }
  const std::int64_t most = (std::int64_t{1} << (width - 1)) - 1;
  std::transform(open_.begin(), open_.end(), removed.begin(), [most](std::int64_t value) {
    return std::clamp(value, -most, most);
  });
  write(width, removed, out);
  const Remainder left = remainder(open_, removed);
  return {Id::kRaw, bytes_of(width, open_.size()), left.max, energy_, left.energy};
}

void Encoder::write(unsigned width,
                    std::span<const std::int64_t> values,
                    std::span<std::byte> out) {
  out[0] = static_cast<std::byte>(width);
  if (width == 0) {
    return;
  }
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  WordWriter writer(scratch_.data());
  for (const std::int64_t value : values) {
    writer.put(static_cast<std::uint64_t>(value) & mask, width);
  }
  writer.finish();
  std::memcpy(out.data() + 1, scratch_.data(), bytes_of(width, values.size()) - 1);
}

Result<void> Decoder::decode(std::span<const std::byte> coded, std::span<std::int64_t> out) {
  if (coded.empty()) {
    return fail(Code::kCorrupt, "raw: empty");
  }
  const auto width = std::to_integer<unsigned>(coded[0]);
  if (width == 1 || width > kWidthMax) {
    return fail(Code::kCorrupt, "raw: width {} is not 0 or 2 to {}", width, kWidthMax);
  }
  if (coded.size() != bytes_of(width, out.size())) {
    return fail(Code::kCorrupt,
                "raw: {} bytes for {} elements of {} bits",
                coded.size(),
                out.size(),
                width);
  }
  if (width == 0) {
    std::fill(out.begin(), out.end(), 0);
    return {};
  }
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(coded.data()) + 1;
  const std::size_t size = coded.size() - 1;
  // A cursor looks at nine bytes: the last elements are read from a padded copy.
  constexpr std::size_t kLook = 9;
  const std::size_t safe =
      size < kLook ? 0 : std::min(out.size(), ((size - kLook) * 8 + 7) / width);
  BitCursor cursor(bytes);
  for (std::size_t i = 0; i < safe; ++i) {
    out[i] = sign_extended(cursor.peek_word(), width);
    cursor.skip(width);
  }
  std::array<std::uint8_t, 64> tail{};
  const std::size_t from = cursor.position() / 8;
  GODWIT_ASSERT(size - from + kLook <= tail.size());
  std::memcpy(tail.data(), bytes + from, size - from);
  BitCursor last(tail.data(), cursor.position() % 8);
  for (std::size_t i = safe; i < out.size(); ++i) {
    out[i] = sign_extended(last.peek_word(), width);
    last.skip(width);
  }
  const std::size_t padding = (8 - last.position() % 8) % 8;
  if ((last.peek() & ((std::uint64_t{1} << padding) - 1)) != 0) {
    return fail(Code::kCorrupt, "raw: bits behind the last element");
  }
  if (width == kWidthMax && max_abs(out) >= std::uint64_t{kValueLimit}) {
    return fail(Code::kCorrupt, "raw: an integer is out of range");
  }
  return {};
}

}  // namespace godwit::codec::raw
