// How packets are marked for the routers on the way: one codepoint for each precedence.
//
// Nothing is marked unless somebody wishes it. A congestion-controlled connection takes packets
// that overtake one another for lost ones (RFC 7657 section 5.1): mark where routers keep the
// classes apart by priority for a good reason, and not by habit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace godwit::transport {

// What a packet carries, most urgent first.
enum class Precedence : std::uint8_t {
  kControl,  // handshakes, receipts, clocks, acknowledgements, ends
  kUrgent,
  kNormal,
  kBulk,
};
inline constexpr std::size_t kPrecedences = 4;

// Differentiated services codepoints, 0..63; 0 is best effort.
struct Markings {
  std::array<std::uint8_t, kPrecedences> codepoints{};

  std::uint8_t of(Precedence precedence) const {
    return codepoints[static_cast<std::size_t>(precedence)];
  }
  // Service classes of RFC 4594: CS5 signalling (small and policed), AF21 low-latency data, DF
  // standard; LE of RFC 8622 for what may starve.
  static constexpr Markings standard() { return {.codepoints = {40, 18, 0, 1}}; }

  bool operator==(const Markings&) const = default;
};

}  // namespace godwit::transport
