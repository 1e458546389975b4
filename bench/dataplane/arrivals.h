// What arrived when: bytes by tenths of a second, and one-way delays of control messages.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataplane/base/units.h"

namespace godwit::bench {

// A message that begins with the sender's CLOCK_MONOTONIC, ns; a receipt or a clock has about this
// size.
inline constexpr std::size_t kStampedBytes = 64;
using Stamped = std::array<std::byte, kStampedBytes>;

inline Stamped stamped(Instant now) {
  Stamped message{};
  const std::int64_t stamp = now.ns();
  std::memcpy(message.data(), &stamp, sizeof stamp);
  return message;
}

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
  // A stamped message; anything else is passed over. Both ends must be on one machine.
  void add_control(Instant now, std::span<const std::byte> message) {
    if (message.size() != kStampedBytes) {
      return;
    }
    std::int64_t stamp = 0;
    std::memcpy(&stamp, message.data(), sizeof stamp);
    const Instant sent = Instant::from_ns(stamp);
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
