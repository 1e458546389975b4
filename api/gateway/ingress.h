// Transfers from peers: whose lane, is it allowed here, apply exactly once, receipt.
//
// A transfer is taken only on a lane that was agreed on with the peer of this session, whose
// certificate names the site in the header, for a topic that both sites may hold. What is
// malformed ends the session with a reason; nothing of it is applied.
//
// Thread: the worker.
#pragma once

#include <span>

#include "api/gateway/core.h"
#include "api/gateway/exchange.h"

namespace godwit::gateway {

class Ingress {
 public:
  Ingress(Core& core, Exchange& exchange) : core_(core), exchange_(exchange) {}

  // kCorrupt: the bytes break the format or the checksums; the session must end.
  // kRefused: no such lane, or not allowed; dropped and counted.
  // kFull: no storage now; dropped, and the peer sends it again after the next session begins.
  Result<void> on_transfer(Instant now, Peer& peer, std::span<const std::byte> bytes);

 private:
  Core& core_;
  Exchange& exchange_;
};

}  // namespace godwit::gateway
