// Every codec on one tensor: what it takes, what it leaves, and how fast it is.
//
// Tiles are loaded, encoded and decoded one after another as gateways do; what was decoded is
// compared with the tensor's own values. Every tile is also copied with memcpy, so that speeds have
// a reference of the same run.
//
// Thread: one. Memory: besides sample and quanta, as many bytes as the sample has, twice.
// Time: this thread's processor time; seconds for millions of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"
#include "api/cli/codec_bench/subject.h"

namespace godwit::codec_bench {

// Bytes a second of float32: 4 for every value, whatever type it has.
struct Speed {
  double encode = 0;
  double decode = 0;
};

struct Row {
  Subject subject = Subject::kRaw;
  // Bits a value that were allowed; none where a codec takes what it takes.
  std::optional<double> budget_bits = {};
  bool is_target = false;   // BPC with the fewest bytes that keep to Options::error
  std::uint64_t bytes = 0;  // of all codes; transfers add some 10 bytes a tile
  double error = 0;         // relative: |x - decoded| / |x|, both as root of the sum of squares
  std::optional<Speed> speed = {};  // none for fewer than kTimedValues

  double bits(std::size_t values) const {
    return values == 0 ? 0 : 8 * static_cast<double>(bytes) / static_cast<double>(values);
  }
  double energy_delivered() const { return 1 - error * error; }
};

// Fewer values take less time than a clock can tell.
inline constexpr std::size_t kTimedValues = 4096;

struct Options {
  double error = 0.01;          // relative, that BPC's target has
  std::size_t repetitions = 5;  // timed; speeds are their median; [1, 1000]
};

struct Comparison {
  std::vector<Row> rows;  // by subject, and from few bytes to many
  double copy_speed = 0;  // memcpy of the tensor's bytes, bytes a second; 0: not timed

  // BPC's row at Options::error; none if it does not come there, as with a few values: the code of
  // one ends at RAW's longest.
  const Row* target() const;
  // Of all the row with the fewest bytes that comes within `error`, or none.
  const Row* shortest_within(double error) const;
};

// Told before each of `all` steps.
using Progress = std::function<void(std::string_view what, std::size_t step, std::size_t all)>;

// Of a tensor without values or of zeros alone nothing is coded: no rows.
Comparison compare(const Sample& sample,
                   const Quanta& quanta,
                   const Options& options,
                   const Progress& progress);

}  // namespace godwit::codec_bench
