// The story of a run as one number: everything that was delivered or decided, in order.
//
// Two runs of one seed must end with the same number; a program that reads the time of day, an
// address or an uninitialised byte gives itself away here.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/checksum.h"
#include "dataplane/base/units.h"

namespace godwit::sim {

enum class Happening : std::uint8_t {
  kDelivered = 1,  // a message or datagram reached a gateway
  kSession = 2,    // a session began or ended
  kCrash = 3,
  kRestart = 4,
  kFault = 5,
  kPublish = 6,  // a client published, or learned what became of it
  kClock = 7,    // a wait for a clock was answered
  kSum = 8,      // a checksum of sums at the end
  kLeft = 9,     // a client has said goodbye
};

class Trace {
 public:
  void note(Instant now, Happening what, std::uint64_t detail) {
    fold(static_cast<std::uint64_t>(now.ns()));
    fold((static_cast<std::uint64_t>(what) << 56U) ^ detail);
    ++events_;
  }
  void note(Instant now, Happening what, std::span<const std::byte> bytes) {
    note(now, what, (std::uint64_t{crc32c(bytes)} << 24U) ^ bytes.size());
  }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }

 private:
  // One round of the finaliser of SplitMix64: every bit of both inputs matters.
  void fold(std::uint64_t word) {
    std::uint64_t z = (hash_ ^ word) + 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    hash_ = z ^ (z >> 31U);
  }

  std::uint64_t hash_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace godwit::sim
