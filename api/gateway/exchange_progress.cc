// The part of Exchange that tells how far lanes have come: receipts, clocks and coverage.
#include <algorithm>
#include <cstring>

#include "api/gateway/exchange.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

constexpr std::size_t kBitmapBytes = ledger::kWindowMax / 8;

}  // namespace

Result<void> Exchange::on_receipt(Instant now, Peer& peer, const control::Receipt& message) {
  Topic* topic = nullptr;
  PeerLanes* lanes = find_lanes(peer, shard_of(message), &topic);
  if (lanes == nullptr || !lanes->outgoing ||
      Incarnation::from_packed(message.from_incarnation()) != topic->ledger().incarnation() ||
      Incarnation::from_packed(message.to_incarnation()) != lanes->peer_incarnation) {
    return {};
  }
  if (!message.bitmap().empty() && message.bitmap().size() != kBitmapBytes) {
    return violation("Receipt: the bitmap has neither 0 nor 128 bytes");
  }
  ledger::Receipt receipt;
  receipt.frontier = message.frontier();
  receipt.checksum = message.checksum();
  std::memcpy(receipt.window.data(), message.bitmap().data(), message.bitmap().size());
  const bool known = topic->ledger().lane(*lanes->outgoing).quarantined;
  const auto receipted = topic->ledger().on_receipt(*lanes->outgoing, receipt);
  if (!receipted) {
    if (!known) {  // else it was said when the first one came
      log::error("topic {}: lane to {}: {}",
                 topic->spec().name,
                 peer.site().name,
                 receipted.error().message);
    }
    peer.queue.set_blocked(now, lanes->handle, true);
    return receipted.error().code == Code::kCorrupt &&
                   !topic->ledger().lane(*lanes->outgoing).quarantined
               ? violation(receipted.error().message)
               : Result<void>{};
  }
  peer.queue.set_blocked(
      now, lanes->handle, !lanes->open || topic->ledger().window_full(*lanes->outgoing));
  return {};
}

Result<void> Exchange::on_clock(Peer& peer, const control::Clock& clock) {
  Topic* topic = nullptr;
  if (find_lanes(peer, shard_of(clock), &topic) == nullptr) {
    return {};
  }
  if (clock.site() != peer.site().id.value()) {
    return violation("Clock: a site may only tell its own clock");
  }
  // With the rule switched off a clock is released as soon as it is heard.
  const std::uint64_t number = GODWIT_MUTANT(kClockOvertakesData) ? 0 : clock.publish_number();
  if (core_.clocks.on_tick(topic->spec().id, peer.site().id, clock.clock(), number)) {
    core_.waits.on_progress(topic->spec().id);
  }
  return {};
}

Result<void> Exchange::on_coverage(Peer& peer, const control::Coverage& coverage) {
  Topic* topic = nullptr;
  PeerLanes* lanes = find_lanes(peer, shard_of(coverage), &topic);
  if (lanes == nullptr || !lanes->incoming) {
    return {};
  }
  lanes->told_coverage = coverage.covered_to();
  lanes->told_at_k = coverage.as_of_k();
  release_coverage(*topic, peer, *lanes);
  return {};
}

void Exchange::release_coverage(Topic& topic, Peer& peer, PeerLanes& lanes) {
  topic.ledger().on_coverage(*lanes.incoming, lanes.told_at_k, lanes.told_coverage);
  const std::uint64_t covered = topic.ledger().coverage(*lanes.incoming);
  if (core_.clocks.on_coverage(topic.spec().id, peer.site().id, covered)) {
    core_.waits.on_progress(topic.spec().id);
  }
}

void Exchange::on_transfer_taken(Instant now, Topic& topic, Peer& peer, PeerLanes& lanes) {
  lanes.receipt_due = std::min(lanes.receipt_due, now + kReceiptDelay);
  release_coverage(topic, peer, lanes);
}

void Exchange::advance_clock(Topic& topic) {
  const std::uint64_t reached = topic.site_clock.reached();
  if (reached <= topic.clock) {
    return;
  }
  topic.clock = reached;
  topic.clock_number = topic.ledger().last_publish().value();
  core_.clocks.on_tick(topic.spec().id, core_.self, topic.clock, 0);
  core_.waits.on_progress(topic.spec().id);
  topic.threshold().on_clock(topic.clock);
  for (const auto& peer : core_.peers) {
    send_clock(topic, *peer);
  }
}

void Exchange::send_clock(const Topic& topic, Peer& peer) {
  if (topic.clock == 0 || peer.state != PeerState::kUp ||
      !topic.spec().may_hold(peer.site().name) || lanes_between(topic, peer) == nullptr) {
    return;
  }
  control::ControlMessage& message = scratch_.fresh();
  auto* clock = message.mutable_clock();
  clock->set_topic(topic.spec().id.topic.value());
  clock->set_shard(topic.spec().id.shard);
  clock->set_site(core_.self.value());
  clock->set_clock(topic.clock);
  clock->set_publish_number(topic.clock_number);
  peer.send(message);
}

void Exchange::send_receipt(Topic& topic, Peer& peer, const PeerLanes& lanes) {
  const ledger::Receipt receipt = topic.ledger().receipt(*lanes.incoming);
  const ledger::IncomingInfo info = topic.ledger().incoming(*lanes.incoming);
  control::ControlMessage& message = scratch_.fresh();
  auto* out = message.mutable_receipt();
  out->set_topic(topic.spec().id.topic.value());
  out->set_shard(topic.spec().id.shard);
  out->set_to_incarnation(topic.ledger().incarnation().packed());
  out->set_from_incarnation(info.from_incarnation.packed());
  out->set_frontier(receipt.frontier);
  out->set_checksum(receipt.checksum);
  const bool gaps = std::any_of(
      receipt.window.begin(), receipt.window.end(), [](std::uint64_t word) { return word != 0; });
  if (gaps) {
    out->set_bitmap(receipt.window.data(), kBitmapBytes);
  }
  peer.send(message);
}

#if defined(GODWIT_SIMULATION)
void Exchange::receipt_unapplied(Instant now,
                                 Topic& topic,
                                 Peer& peer,
                                 const PeerLanes& lanes,
                                 const wire::TransferHeader& header) {
  const ledger::IncomingInfo info = topic.ledger().incoming(*lanes.incoming);
  if (header.k != info.frontier + 1) {
    return;
  }
  control::ControlMessage message;
  auto* out = message.mutable_receipt();
  out->set_topic(topic.spec().id.topic.value());
  out->set_shard(topic.spec().id.shard);
  out->set_to_incarnation(topic.ledger().incarnation().packed());
  out->set_from_incarnation(info.from_incarnation.packed());
  out->set_frontier(header.k);
  out->set_checksum(header.cumulative);
  peer.send(message);
  peer.flush(now);
}
#endif

void Exchange::tell_coverage(Topic& topic, Peer& peer, PeerLanes& lanes) {
  const std::uint64_t covered = topic.ledger().coverage(*lanes.outgoing).value();
  if (covered <= lanes.coverage_told) {
    return;
  }
  lanes.coverage_told = covered;
  control::ControlMessage& message = scratch_.fresh();
  auto* out = message.mutable_coverage();
  out->set_topic(topic.spec().id.topic.value());
  out->set_shard(topic.spec().id.shard);
  out->set_covered_to(covered);
  out->set_as_of_k(topic.ledger().lane(*lanes.outgoing).next_k - 1);
  peer.send(message);
}

void Exchange::flush(Instant now) {
  for (const auto& peer : core_.peers) {
    if (peer->state != PeerState::kUp) {
      continue;
    }
    for (auto& [id, topic] : core_.topics) {
      PeerLanes* lanes = lanes_between(*topic, *peer);
      if (lanes == nullptr) {
        continue;
      }
      if (lanes->incoming && lanes->receipt_due <= now) {
        lanes->receipt_due = Instant::never();
        send_receipt(*topic, *peer, *lanes);
      }
      if (lanes->open) {
        tell_coverage(*topic, *peer, *lanes);
      }
    }
  }
}

Instant Exchange::deadline() const {
  Instant first = Instant::never();
  for (const auto& [id, topic] : core_.topics) {
    for (const auto& [site, lanes] : topic->peers()) {
      first = std::min(first, lanes.receipt_due);
    }
  }
  return first;
}

}  // namespace godwit::gateway
