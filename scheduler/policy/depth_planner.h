// How many bytes a visit of a tile may take, so that a link sweeps its changed tiles once per
// update.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// With n_i changed tiles in lane i, which changes every T_i, a link must make Σ n_i/T_i visits per
// second to send every tile once per update. So a visit gets
//
//   budget = clamp( rate·share / Σ(n_i/T_i),  max(bytes_min, rate·encode/cpu_share),  most )
//
// One lane: rate·share·T/n. The second term of the floor keeps the link busy for as long as the
// encoder needs for the next tile: a fast link is fed deeper visits, not more of them.
//
// `most` is the raw size of a tile that rests. One that goes on changing gets bits_changing an
// element at most: what they leave is merged into the next update, whose first bits are worth more.
//
// Where a sweep takes most of the interval and the encoder can follow, a budget is spent in two
// visits: a shallow one of every changed tile, so that most of an update is on its way after a
// third of the sweep, then one with the rest.
// Thread: one worker. Memory: none. Time: O(1).
class DepthPlanner {
 public:
  struct Options {
    Bytes bytes_min = Bytes(256);  // Chosen: 1/16 bit per element of a full tile; below it headers
                                   // and the read of the tile cost more than the bits are worth.
    double payload_share = 0.95;   // Chosen: the rest is headers, receipts and control.
    double cpu_share = 0.5;        // Chosen: of one core, for this link's encoding, (0, 1].
    double first_share = 1.0 / 3;  // Chosen: of a budget, for the first visit, (0, 1].
    double bits_changing = 2;  // Measured: of an element, for a tile that goes on changing, > 0.
  };
  DepthPlanner() : DepthPlanner(Options{}) {}
  explicit DepthPlanner(const Options& options);

  // One tile was encoded in `spent`; averaged over the last 16 or so.
  void on_encoded(Duration spent);
  [[nodiscard]] Bytes plan(BitRate rate,
                           double visits_per_second,
                           std::uint32_t elements,
                           bool changing) const;
  // The part of `budget` for the first visit; all of it when the part is not worth a visit.
  [[nodiscard]] Bytes first_part(BitRate rate, double visits_per_second, Bytes budget) const;
  // The least that is worth a visit.
  [[nodiscard]] Bytes floor(BitRate rate) const;
  [[nodiscard]] Duration encode_time() const { return encode_time_; }

  // An upper bound of a tile's coded size: the full int64 of every element and a header.
  [[nodiscard]] static Bytes raw_size(std::uint32_t elements);

 private:
  [[nodiscard]] Bytes most(std::uint32_t elements, bool changing) const;

  Options options_;
  Duration encode_time_ = Duration::zero();
};

}  // namespace godwit::scheduler
