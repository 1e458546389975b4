// The loops of XH over elements: words whose high bytes are alike, and their bytes by significance;
// and over the bytes of a plane. Vectorised, chosen at run time.
//
// A kernel is a pure loop: it checks nothing, allocates nothing and cannot fail. 64 bytes behind
// the end of each plane must belong to its buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/xh/format.h"

namespace godwit::codec::xh {

// Plane p holds byte p of each element's word.
using Planes = std::array<std::uint8_t*, kPlanesMax>;

// The words of `count` elements, against `base` if there is one (SPEC.md, "Words"). Returns how
// many of them are zero.
std::size_t split(Type type,
                  const std::byte* values,
                  const std::byte* base,
                  std::size_t count,
                  const Planes& planes);

struct ByteRange {
  std::uint8_t least = 0;
  std::uint8_t greatest = 0;
};
// Of `count` bytes, at least one.
ByteRange range_of(const std::uint8_t* bytes, std::size_t count);

// The elements again.
void join(
    Type type, const Planes& planes, const std::byte* base, std::size_t count, std::byte* values);

}  // namespace godwit::codec::xh
