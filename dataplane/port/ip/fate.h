// What became of a received frame: every one has exactly one fate, and every fate is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace godwit::port::ip {

enum class Fate : std::uint8_t {
  kDelivered,  // a datagram for our port
  kNeighbour,  // ARP or ND that concerns us: heeded, answered if it asked
  kEcho,       // an echo request, answered
  kPathMtu,    // a router's word about the path's MTU, passed on
  kOverheard,  // a copy of ARP or ND that another worker of our address got: heeded, not answered
  // From here on: refused.
  kTruncated,        // shorter than its headers say
  kLooped,           // our own MAC or IP address as the source
  kNotOurs,          // to another MAC address, or to a group we are not in
  kWrongVlan,        // tagged for another VLAN, or untagged in ours
  kUnknownType,      // neither ARP nor IPv4 nor IPv6
  kBadArp,           // not Ethernet and IPv4, an unknown operation, a group as the sender
  kBadIp,            // a wrong version, length or header checksum
  kIpOptions,        // IPv4 options or IPv6 extension headers
  kIpFragment,       // we send none and join none
  kBadSource,        // a source that no host can have
  kWrongHost,        // to another IP address, or to ours by a group's MAC
  kUnknownProtocol,  // neither UDP nor ICMP
  kBadUdp,           // a length that does not fit, no payload, no checksum in IPv6
  kBadChecksum,      // UDP's or ICMP's
  kWrongPort,        // a UDP port that is not ours
  kBadNeighbour,     // ND that breaks RFC 4861 section 7.1, or comes from off the link
  kUnheeded,         // ICMP of other kinds, and unbelievable words about the path's MTU
  kTooMany,          // beyond the rate at which we answer
  kConflict,         // somebody else uses our address; defended
};
inline constexpr std::size_t kFates = static_cast<std::size_t>(Fate::kConflict) + 1;
inline constexpr std::size_t kRefusals = kFates - static_cast<std::size_t>(Fate::kTruncated);

constexpr bool is_refusal(Fate fate) {
  return fate >= Fate::kTruncated;
}

// Stable names: they are metric labels.
std::string_view to_string(Fate fate);

class FateCounts {
 public:
  void add(Fate fate) { ++counts_[static_cast<std::size_t>(fate)]; }
  std::uint64_t of(Fate fate) const { return counts_[static_cast<std::size_t>(fate)]; }
  std::uint64_t total() const { return std::accumulate(counts_.begin(), counts_.end(), kNone); }
  std::uint64_t refused() const {
    constexpr auto kFirst = static_cast<std::ptrdiff_t>(Fate::kTruncated);
    return std::accumulate(counts_.begin() + kFirst, counts_.end(), kNone);
  }

 private:
  static constexpr std::uint64_t kNone = 0;
  std::array<std::uint64_t, kFates> counts_{};
};

}  // namespace godwit::port::ip
