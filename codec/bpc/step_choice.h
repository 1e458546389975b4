// Which step between two powers of two serves a budget best, by estimate from a sample of a tile.
//
// A code that ends inside a plane, or whose values lie at the upper end of an octave where the rule
// of reconstruction does not expect them, delivers less for its bytes than one with another step.
//
// Thread: pure functions. Memory: some KiB of stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::codec::bpc {

struct StepQuestion {
  // Magnitudes of a tile in steps of a power of two, whole vectors, every one of `scale` elements.
  std::span<const std::uint16_t> sample;
  double scale = 1;
  double elements = 0;  // of the tile
  int top = 0;          // its highest plane
  double room = 0;      // bits
  std::uint64_t unit =
      1;  // the coarsest plane that is fine enough, in those steps; 0: less than one
};

// In quarters of the way to the next power of two. 0 whenever the sample does not tell.
int choose_quarter(const StepQuestion& question);

// Bits that a string of so many bits takes, with what static tables and Rice codes lose.
double string_bits(double ones, double length);

}  // namespace godwit::codec::bpc
