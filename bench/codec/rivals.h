// Published update compressors, made again to be compared with: what each spends and what it loses.
//
// None is a codec that could be used: they return sizes and reconstructions. Error feedback is the
// caller's.
//
// Thread: pure functions. Memory: proportional to the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace godwit::bench_codec {

struct Lossy {
  double bytes = 0;
  std::vector<float> values;  // what the receiver adds
};

// The root of what is left of the energy, in [0, 1] for anything sensible.
double relative_error(std::span<const float> values, std::span<const float> kept);

// The `count` largest, each as 8 bits in steps of a 127th of the largest of 256 that are sent
// together (SparseLoCo and others send fewer bits; DGC 32). Positions take what an ideal coder of
// blocks of the best length takes, or Rice codes if those are shorter.
Lossy top_k_8bit(std::span<const float> values, std::size_t count);
// Gaia's significance filter (Hsieh et al. 2017): changes of at least `threshold` of the parameter,
// as float32; positions as above. What it leaves out is everything else.
Lossy filter(std::span<const float> values, std::span<const float> parameters, double threshold);
// Sparse ternary compression (Sattler et al. 2019): the `count` largest as their mean size and a
// sign; positions by the Rice code that suits them best, as published.
Lossy ternary(std::span<const float> values, std::size_t count);
// Four bits, a sign and a power of two (Streaming DiLoCo, Douillard et al. 2025), a scale each 256.
Lossy e3m0(std::span<const float> values);
// Integers of 8 or 4 bits in steps of a fraction of the largest of 256.
Lossy integers(std::span<const float> values, unsigned bits);
// One bit, and the mean size of each 256 (signSGD with error feedback, Karimireddy et al. 2019).
Lossy sign(std::span<const float> values);
// A random rotation of each 1,024, then the best quantiser of a normal variate with `bits` of 1 to
// 4 (EDEN, Vargaftik et al. 2022).
Lossy eden(std::span<const float> values, unsigned bits);

// An ideal coder of uniform steps: entropy of the quantised values given how large their two
// neighbours before are (order 1 in that context), with every cell rebuilt at its mean. No real
// coder reaches it, and it cannot be cut.
Lossy ideal(std::span<const float> values, double step);

}  // namespace godwit::bench_codec
