#include "api/gateway/ingress.h"

#include "dataplane/base/crash_point.h"
#include "dataplane/wire/transfer.h"

namespace godwit::gateway {

Result<void> Ingress::on_transfer(Instant now, Peer& peer, std::span<const std::byte> bytes) {
  ++peer.counters.transfers_received;
  const auto header = wire::parse_header(bytes);
  if (!header) {
    ++peer.counters.transfers_corrupt;
    return fail(Code::kCorrupt, "{}", header.error().message);  // also one that is not complete
  }
  const SiteId from = peer.site().id;
  if (header->from != from || header->to != core_.self.value() ||
      (header->flags & wire::kFlagSubscriber) != 0 || header->origin_count != 1 ||
      header->origins[0] != from) {
    ++peer.counters.transfers_corrupt;
    return fail(Code::kCorrupt,
                "transfer: its ends or origins are not those of the certificates ({} to {})",
                peer.site().name,
                core_.config.site);
  }
  Topic* topic = core_.find_topic({header->topic, header->shard});
  PeerLanes* lanes = topic != nullptr ? lanes_between(*topic, peer) : nullptr;
  if (lanes == nullptr || !lanes->incoming || header->from_incarnation != lanes->peer_incarnation ||
      header->to_incarnation != topic->ledger().incarnation() ||
      !topic->spec().may_hold(peer.site().name) ||
      !core_.config.may_hold(topic->spec().name, peer.site().name)) {
    ++peer.counters.transfers_stray;
    return fail(Code::kRefused,
                "transfer: no lane for topic {:016x}, shard {}, from {}",
                header->topic.value(),
                header->shard,
                peer.site().name);
  }
  const auto view = wire::parse_transfer(bytes, topic->ledger().shape().tile_count());
  if (!view) {
    ++peer.counters.transfers_corrupt;
    return Failure(view.error());
  }
#if defined(GODWIT_SIMULATION)
  if (GODWIT_MUTANT(kReceiptBeforeApply)) {
    exchange_.receipt_unapplied(now, *topic, peer, *lanes, *header);
    GODWIT_CRASH_POINT();
  }
#endif
  const auto applied = topic->ledger().apply(*lanes->incoming, *view);
  if (!applied && applied.error().code == Code::kFull) {
    ++peer.counters.transfers_dropped;
    return Failure(applied.error());
  }
  if (!applied || *applied == ledger::Applied::kTooFar) {
    ++peer.counters.transfers_corrupt;
    return applied ? fail(Code::kCorrupt, "transfer {} is beyond the window", header->k)
                   : Failure(applied.error());
  }
  if (*applied == ledger::Applied::kDuplicate) {
    ++peer.counters.transfers_duplicate;
  }
  exchange_.on_transfer_taken(now, *topic, peer, *lanes);
  return {};
}

}  // namespace godwit::gateway
