// The token of a Retry: proof that whoever sends it received our answer at the address it uses.
//
// Sealed with AES-128-GCM under a key of ours, bound to the address, to the ids of the greeting and
// to the time (RFC 9000 section 8.1.4). Nothing is kept: a token is good for kLifetime, and only
// from the address that it was sent to.
//
// Time: `now` of this process or of one before it on the same host. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/quic_compat.h"

namespace godwit::transport {

class RetryToken {
 public:
  // The longest honest way of a Retry and its answer is two round trips. Chosen.
  static constexpr Duration kLifetime = Duration::ms(5'000);

  using Secret = std::span<const std::uint8_t>;

  // For the greeting with the destination id `original`, answered with the id `ours`. Empty: the
  // library failed.
  static std::vector<std::uint8_t> seal(Instant now,
                                        Secret secret,
                                        const port::Peer& to,
                                        const ngtcp2_cid& ours,
                                        const ngtcp2_cid& original);
  // The original id; nullopt: not ours, another's, too old, or changed.
  static std::optional<ngtcp2_cid> open(Instant now,
                                        Secret secret,
                                        const port::Peer& from,
                                        const ngtcp2_cid& ours,
                                        std::span<const std::uint8_t> token);
};

}  // namespace godwit::transport
