// SL: the positions, signs and rough sizes of a tile's largest integers (SPEC.md).
//
// For budgets at which a plane of bits would be mostly zeros. How many are named, from which size
// on, and with how many sizes follows from the budget and a histogram of the largest: only these
// are looked at one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/step.h"
#include "codec/tile_codec.h"

namespace godwit::codec::sparse_list {

struct Choice;
struct Sizes;

class Encoder final : public TileEncoder {
 public:
  Encoder();
  ~Encoder() override;

  void load(std::span<const std::int64_t> open) override;
  // For a caller that knows the largest magnitude and the energy.
  void load(std::span<const std::int64_t> open, std::uint64_t max_abs, double energy);
  Encoded encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) override;

 private:
  struct Buffers;

  void list_largest(std::size_t wanted, std::uint64_t floor);
  std::size_t coded_bytes(const Choice& choice) const;
  void write(const Choice& choice, std::span<std::int64_t> removed);

  std::span<const std::int64_t> open_;
  std::uint64_t max_abs_ = 0;
  double energy_ = 0;
  std::unique_ptr<Buffers> buffers_;
};

class Decoder final : public TileDecoder {
 public:
  Decoder();

  Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) override;

 private:
  Result<void> read_elements(std::span<const std::byte> coded,
                             std::size_t count,
                             const Sizes& sizes,
                             std::span<std::int64_t> out);

  std::vector<std::uint8_t> code_;
};

}  // namespace godwit::codec::sparse_list
