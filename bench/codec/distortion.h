// How many bytes our codecs take for a whole tensor at a given error, spent where they gain most:
// by who has tried every end of every tile.
//
// Thread: immutable. Memory: the tensor as integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace godwit::bench_codec {

struct Point {
  double bytes = 0;  // with the records of the tiles in a transfer
  double error = 0;  // relative, of the whole tensor
};

class Distortion {
 public:
  explicit Distortion(std::span<const float> values);

  // BPC, or ROW where a tile has rows, at the end of each plane of each step: all tiles down to the
  // same size. From the coarsest.
  const std::vector<Point>& plane_ends() const { return plane_ends_; }
  // BPC's bytes at this error: each tile ends at a plane of a step of its own, and those gain most
  // per byte; the last one ends where the error is reached.
  double bytes_at(double error) const;
  // The error at so many bytes, by SL: each tile down to a size of its own, by what it gains.
  double sparse_list_error(double bytes) const;

 private:
  // One tile as far as it is coded.
  struct Tile {
    double bytes = 0;
    double left = 0;  // energy
  };

  // From one end of a tile to another one.
  struct Stretch {
    std::size_t tile = 0;
    Tile from;
    double bytes = 0;
    double gain = 0;  // energy
  };

  using Ends = std::vector<std::vector<Tile>>;  // by end, then tile

  template <class Encoder>
  std::vector<Tile> coded(Encoder& encoder, std::uint64_t floor) const;
  template <class Encoder>
  Tile cut(Encoder& encoder, std::size_t index, double bytes) const;
  std::vector<Stretch> by_slope(const Ends& ends) const;
  double bytes_within(const Stretch& stretch, double gain) const;
  std::span<const std::int64_t> values_of(std::size_t tile) const;
  Point point_of(std::span<const Tile> tiles) const;

  std::vector<std::int64_t> integers_;
  double energy_ = 0;
  std::vector<Point> plane_ends_;
  std::vector<double> energies_;  // by tile
  std::vector<Stretch> stretches_;
};

}  // namespace godwit::bench_codec
