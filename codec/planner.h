// Decides which tiles go by fixed rate: those for which the link is faster than bit planes.
//
// Bit planes remove more for a byte, always; what they take is processor time. Where the link could
// carry a tile's code in less time than it takes to make it, Q8 or Q4 makes one in a fraction of
// it. How long bit planes take is learned, from what they took.
//
//   auto id = planner.fixed_rate(open, budget, link_ns_per_byte, accepts);
//   encoded = id ? encoder.encode_fixed_rate(*id, open, out, removed) : encoder.encode(…);
//   planner.learn(encoded, nanoseconds);
//
// Thread: one owner. Memory: itself. Time: passed in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "codec/codec.h"

namespace godwit::codec {

class Planner {
 public:
  // `open` is a tile; `link_ns_per_byte` what the link takes for a byte, 0 = not known. Q8 where it
  // fits into the budget, else Q4; nothing when bit planes keep up with the link, when what they
  // take is not known for such a size, or when fewer than half of the elements are above the floor:
  // planes say their positions, fixed rates pay for all. Every 64th tile goes by planes all the
  // same, so that what is learned stays of today.
  std::optional<Id> fixed_rate(std::span<const std::int64_t> open,
                               Budget budget,
                               double link_ns_per_byte,
                               Accepts accepts);
  // What a tile took, of processor time, with its analysis.
  void learn(const Encoded& encoded, double nanoseconds);

 private:
  // Of BPC by the width of its code's size in bytes; 0 = not known. A mean that forgets.
  std::array<double, 20> ns_per_byte_{};
  std::uint32_t turn_ = 0;
};

}  // namespace godwit::codec
