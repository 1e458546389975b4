// Vector loops over tensors that the gateway's door needs: conversion, energy, largest magnitude.
//
// Compiled for several instruction sets and chosen at run time; the results of the conversions
// are bit-identical on all of them.
//
// Thread: pure functions. Memory: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace godwit::codec {

// Sum of squares, in double: relative error below 1e-12, the same on every machine.
double energy(std::span<const std::int64_t> values);

// Largest magnitude; 0 for an empty span. Exact for every int64, including the smallest.
std::uint64_t max_abs(std::span<const std::int64_t> values);

// What is left of integers when others were taken from them.
struct Remainder {
  std::uint64_t max = 0;  // largest magnitude
  double energy = 0;      // sum of squares, as above
};
// Of values[i] - removed[i]; both as long, and every difference in range.
Remainder remainder(std::span<const std::int64_t> values, std::span<const std::int64_t> removed);

// The first input that has no fixed-point value.
struct Rejected {
  std::size_t index = 0;
  float value = 0;
};

struct FixedPointResult {
  std::optional<Rejected> rejected;  // set: `out` is unspecified and must not be used
  bool ok() const { return !rejected.has_value(); }
};

// out[i] = round_half_even(in[i] * 2^fraction_bits), exactly. Rejects NaN, infinity and results
// above `limit` in magnitude. fraction_bits in [0, 62], limit in [0, 2^62], out as long as in.
FixedPointResult to_fixed(std::span<const float> in,
                          int fraction_bits,
                          std::int64_t limit,
                          std::span<std::int64_t> out);

// out[i] = in[i] * 2^-fraction_bits, rounded once, half to even. |in[i]| <= 2^62.
void to_float(std::span<const std::int64_t> in, int fraction_bits, std::span<float> out);

}  // namespace godwit::codec
