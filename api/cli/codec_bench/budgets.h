// How so many bytes for a whole tensor are shared out among its tiles, by the slopes of their
// segments.
//
// Thread: immutable. Memory: some hundred bytes a tile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"

namespace godwit::codec_bench {

class Budgets {
 public:
  Budgets(const Sample& sample, const Quanta& quanta);

  // For BPC: each tile gets what lies above one slope, by the segments that its encoder announces,
  // so that the last byte removes as much energy in every tile. The sum is `bytes`, or less where
  // the tiles have no use for more.
  std::vector<std::size_t> by_slope(std::uint64_t bytes) const;

  // For SL: in proportion to how many of the tensor's largest elements a tile has.
  std::vector<std::size_t> by_size(std::uint64_t bytes) const;

  // What no code of a tile is longer than.
  std::vector<std::size_t> unlimited() const;

 private:
  // Between the middles of two segments the slope falls evenly in its logarithm.
  struct Knot {
    double bytes = 0;
    double log_slope = 0;
  };
  // What of a tile lies above a slope.
  static double bytes_above(std::span<const Knot> knots, double log_slope);
  std::span<const Knot> knots_of(std::size_t tile) const {
    return std::span(knots_).subspan(begins_[tile], begins_[tile + 1] - begins_[tile]);
  }

  const Sample& sample_;
  const Quanta& quanta_;
  std::vector<Knot> knots_;  // of all tiles
  std::vector<std::size_t> begins_;
};

}  // namespace godwit::codec_bench
