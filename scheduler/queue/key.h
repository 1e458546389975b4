// The name of one schedulable thing (a tile of a lane), and the classes of traffic.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace godwit::scheduler {

// `lane` is the gateway's handle of a lane, `tile` the index of a tile in it.
struct Key {
  std::uint32_t lane = 0;
  std::uint32_t tile = 0;
  friend auto operator<=>(const Key&, const Key&) = default;
};

// Strict order, most urgent first. Control traffic is not in a LinkQueue: it goes before all.
enum class Class : std::uint8_t {
  kUrgent,
  kNormal,
  kBulk
};
inline constexpr std::size_t kClassCount = 3;

}  // namespace godwit::scheduler
