// What sending a key is worth per byte: the Whittle index of a mergeable stream of updates.
#pragma once

namespace godwit::scheduler {

// A key gains energy by merges (rate r, mean energy m, so g = r·m per second); cost runs at w·e
// until a visit of b bytes resets e. With the price of a byte as multiplier the index is
//
//   I = w·e·( e/(2g) + 1/r ) / b  =  w·e·interval·( e/(2m) + 1 ) / b      (interval = 1/r)
//
// Rare updates give e/b (density), dense ones w·e·age/(2b), whose visit rates follow √(w·g/b).
// It is constant between merges, so a key is ranked only when it is merged or sent. Send only
// when I is at least the price; the price is 0 for now: "significance per byte" and no filter.
struct IndexInput {
  double weight;            // w > 0
  double energy;            // e > 0
  double merge_energy;      // m > 0, mean energy of one merge
  double interval_seconds;  // 1/r > 0
  double bytes;             // b >= 1, expected coded bytes of the visit
};
[[nodiscard]] double significance_index(const IndexInput& in);

// Learns 1/r and m of one key from its merges, by exponential averages over the last few merges.
class MergeStatistics {
 public:
  // `interval_seconds` <= 0 says that the gap is not known (the first merge).
  void on_merge(double energy, double interval_seconds);
  [[nodiscard]] bool knows_interval() const { return interval_seconds_ > 0; }
  [[nodiscard]] double interval_seconds() const { return interval_seconds_; }
  [[nodiscard]] double merge_energy() const { return merge_energy_; }

 private:
  double interval_seconds_ = 0;
  double merge_energy_ = 0;
};

}  // namespace godwit::scheduler
