// The set of rows that a code names: gaps between them, or a bit for each row (SPEC.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "codec/row/bit_map.h"

namespace godwit::codec::row {

enum class SetForm : std::uint8_t {
  kGaps,  // Rice codes
  kBits,
};

// `count` of `rows`, 1 <= count <= rows <= kTileElements.
struct SetSize {
  std::size_t count = 1;
  std::size_t rows = 1;
};

// Neither form is longer: of gaps, 2.5 bits a row at most are Rice codes of a good parameter.
constexpr std::size_t set_bytes_max(std::size_t rows) {
  return (rows * 3 + 7) / 8;
}
// What writing and reading may touch behind the end.
inline constexpr std::size_t kSetPad = 16;

struct SetCode {
  SetForm form = SetForm::kGaps;
  std::size_t bytes = 0;
};

// The shorter form; bits when both are as long.
SetCode shortest_set(const BitMap& named, SetSize size);

// Writes set_bytes() of that form; kSetPad bytes behind them belong to the buffer.
void write_set(SetForm form, const BitMap& named, SetSize size, std::uint8_t* out);

// How many of `available` bytes the set took, or nothing when they break the format. kSetPad bytes
// behind `available` must be readable.
std::optional<std::size_t> read_set(
    SetForm form, SetSize size, const std::uint8_t* code, std::size_t available, BitMap& named);

}  // namespace godwit::codec::row
