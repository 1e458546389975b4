#include "codec/row/row_set.h"

#include <bit>
#include <cstring>

#include "codec/rice.h"
#include "codec/simd/bits.h"
#include "dataplane/base/bytes.h"

namespace godwit::codec::row {
namespace {

constexpr std::size_t bits_form_bytes(std::size_t rows) {
  return (rows + 7) / 8;
}

// Calls visit(row) for each named row, in order.
template <class Visit>
void for_each_named(const BitMap& named, std::size_t rows, Visit&& visit) {
  for (std::size_t word = 0; word * 64 < rows; ++word) {
    for (std::uint64_t left = named[word]; left != 0; left &= left - 1) {
      visit(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
    }
  }
}

bool read_gaps(SetSize size, BitCursor& cursor, std::size_t end, BitMap& named) {
  const unsigned k = rice_bits(size.count, size.rows);
  std::size_t next = 0;
  for (std::size_t left = size.count; left > 0; --left) {
    const auto gap = take_gap(cursor, end, k);
    if (!gap) {
      return false;
    }
    next += *gap;
    if (next >= size.rows) {
      return false;
    }
    named[next / 64] |= std::uint64_t{1} << (next % 64);
    ++next;
  }
  return cursor.position() <= end;
}

}  // namespace

SetCode shortest_set(const BitMap& named, SetSize size) {
  const unsigned k = rice_bits(size.count, size.rows);
  std::size_t bits = size.count * (1 + k);
  std::size_t next = 0;
  for_each_named(named, size.rows, [&](std::size_t row) {
    bits += (row - next) >> k;
    next = row + 1;
  });
  const std::size_t gaps = (bits + 7) / 8;
  const std::size_t whole = bits_form_bytes(size.rows);
  return gaps < whole ? SetCode{SetForm::kGaps, gaps} : SetCode{SetForm::kBits, whole};
}

void write_set(SetForm form, const BitMap& named, SetSize size, std::uint8_t* out) {
  if (form == SetForm::kBits) {
    std::memcpy(out, named.data(), bits_form_bytes(size.rows));
    return;
  }
  const unsigned k = rice_bits(size.count, size.rows);
  WordWriter writer(out);
  std::size_t next = 0;
  for_each_named(named, size.rows, [&](std::size_t row) {
    put_gap(writer, row - next, k);
    next = row + 1;
  });
  writer.finish();
}

std::optional<std::size_t> read_set(
    SetForm form, SetSize size, const std::uint8_t* code, std::size_t available, BitMap& named) {
  named.fill(0);
  if (form == SetForm::kBits) {
    const std::size_t bytes = bits_form_bytes(size.rows);
    if (available < bytes) {
      return std::nullopt;
    }
    std::memcpy(named.data(), code, bytes);
    const bool padded = size.rows % 8 == 0 || code[bytes - 1] >> (size.rows % 8) == 0;
    return padded && count_ones(named) == size.count ? std::optional(bytes) : std::nullopt;
  }
  BitCursor cursor(code);
  if (!read_gaps(size, cursor, available * 8, named)) {
    return std::nullopt;
  }
  const std::size_t padding = (8 - cursor.position() % 8) % 8;
  if ((cursor.peek() & ((std::uint64_t{1} << padding) - 1)) != 0) {
    return std::nullopt;
  }
  return (cursor.position() + padding) / 8;
}

}  // namespace godwit::codec::row
