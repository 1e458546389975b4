// BPC, the writing side: a tile's bit planes from the top, as far as the budget goes (SPEC.md).
//
// Thread: one owner. Memory: about 420 KiB, allocated by the constructor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "codec/bpc/bit_writing.h"
#include "codec/bpc/format.h"
#include "codec/bpc/vector_kernels.h"
#include "codec/tile_codec.h"

namespace godwit::codec::bpc {

class Encoder final : public TileEncoder {
 public:
  Encoder();
  ~Encoder() override;

  void load(std::span<const std::int64_t> open) override;
  Encoded encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) override;

  // Of the loaded tile.
  std::uint64_t max_abs() const { return max_abs_; }
  double energy() const { return energy_; }
  std::span<const Segment> segments() const;
  // The largest magnitude in each sub-block.
  std::span<const std::uint64_t> sub_block_max() const;

  // Steps between powers of two; on unless a receiver does not know them.
  void use_finer_steps(bool yes) { finer_steps_ = yes; }

  // Whether the last encode() came as far as the floor and 16 planes allow.
  bool complete() const { return complete_; }

 private:
  struct Buffers;

  StepSize fitting_step(std::size_t room, std::uint64_t unit) const;
  void set_step(StepSize step) const;
  std::uint8_t* write_planes(int last_plane, std::uint8_t* end);
  std::size_t fitting_cut(std::size_t room) const;
  std::uint8_t* write_significance(std::uint8_t* out, const std::uint8_t* end);
  std::uint8_t* write_refinement(std::uint8_t* out, const std::uint8_t* end);
  void extract(int plane);
  Remainder remove(std::span<std::int64_t> removed) const;
  void estimate() const;

  std::span<const std::int64_t> open_;
  std::uint64_t max_abs_ = 0;
  double energy_ = 0;
  StepSize loaded_;        // at which the tile has 16 planes, a power of two
  mutable StepSize step_;  // of the magnitudes
  bool finer_steps_ = true;
  Extent extent_;
  bool complete_ = false;
  std::unique_ptr<Buffers> buffers_;
  mutable std::size_t segment_count_ = 0;  // 0: not estimated yet
};

}  // namespace godwit::codec::bpc
