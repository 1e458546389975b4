// Whom an endpoint lets begin a handshake, and how often it answers without keeping state.
//
//     greeting ──▶ few handshakes are open ──────▶ kAccept
//                  crowded, address not proven ──▶ kRetry: prove it (RFC 9000 section 8.1.2)
//                  crowded, address proven ──────▶ kAccept up to the maximum, then kDrop
//
// A sender that forges a configured peer's address takes the places of the unproven, never those
// kept for peers that answered a Retry. A source is a configured address, or a configured host
// with any other UDP port.
//
// Thread: one. Memory: one entry per source, until `forget_sources`. Time: sans-I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "dataplane/base/pace.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"

namespace godwit::transport {

// Handshakes that were accepted and are not proven yet. All chosen: a site has one gateway, which
// greets once at a time; a half-open handshake is estimated at 60 KiB (not measured).
struct AdmissionLimits {
  std::size_t handshakes_max = 64;
  std::size_t handshakes_per_source_max = 16;
  // Above these only a proven address is accepted. At most the maxima above.
  std::size_t unproven_max = 32;
  std::size_t unproven_per_source_max = 4;
};

// Handshakes that are open now.
struct HalfOpen {
  std::size_t all = 0;
  std::size_t of_source = 0;
};

class Admission {
 public:
  enum class Verdict : std::uint8_t {
    kAccept,
    kRetry,  // answer with a Retry, keep nothing
    kDrop,
  };

  explicit Admission(const AdmissionLimits& limits) : limits_(limits) {}

  // Forgets every source; call it when the peers change.
  void forget_sources() { sources_.clear(); }
  Verdict judge(Instant now, const port::Peer& source, HalfOpen open, bool is_proven);
  // True: a token of `source` may be checked now. Checking costs a key derivation.
  bool may_check_token(Instant now, const port::Peer& source);
  // True: `source` may be answered without state now (version negotiation, Retry).
  bool may_answer(Instant now, const port::Peer& source);

 private:
  // What one source may cost us in processor time. Estimated, not measured: an unproven greeting
  // 0.2 ms, an answer or a check 10 µs. Chosen so that one source takes a few percent of a core.
  struct Source {
    Pace unproven{Duration::ms(20), 16};
    Pace proven{Duration::ms(10), 32};
    Pace checks{Duration::us(500), 64};
    Pace answers{Duration::us(500), 64};
  };

  AdmissionLimits limits_;
  std::unordered_map<port::Peer, Source> sources_;
  // Over all sources: what a flood that forges all of them may cost.
  Pace checks_{Duration::us(250), 128};
  Pace answers_{Duration::us(250), 128};
};

}  // namespace godwit::transport
