// What arrived when: bytes by tenths of a second, and one-way delays of control messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataplane/base/units.h"

namespace godwit::bench {

// A message that begins with the sender's CLOCK_MONOTONIC; a receipt or a clock has about this
// size.
inline constexpr std::size_t kStampedBytes = 64;

// Tells whoever started this receiver that the sender may begin.
inline void say_ready() {
  std::puts("{\"ready\": true}");
  std::fflush(stdout);
}

class Arrivals {
 public:
  static constexpr Duration kBin = Duration::ms(100);

  explicit Arrivals(Instant began) : began_(began) {}

  void add(Instant now, std::uint64_t bytes) {
    const auto bin = static_cast<std::size_t>((now - began_).count_ns() / kBin.count_ns());
    bytes_.resize(std::max(bytes_.size(), bin + 1));
    bytes_[bin] += bytes;
  }
  // `sent` is the sender's CLOCK_MONOTONIC: both ends must be on one machine.
  void add_control(Instant now, Instant sent) {
    control_.emplace_back((sent - began_).to_seconds(), (now - sent).to_seconds() * 1e3);
  }

  // {"began_ns", "bin_ns", "bytes": [per bin], "control": [[sent, s; delay, ms]]}
  nlohmann::ordered_json to_json() const {
    return {{"began_ns", began_.ns()},
            {"bin_ns", kBin.count_ns()},
            {"bytes", bytes_},
            {"control", control_}};
  }

 private:
  Instant began_;
  std::vector<std::uint64_t> bytes_;
  std::vector<std::pair<double, double>> control_;
};

}  // namespace godwit::bench
