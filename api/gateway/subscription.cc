#include "api/gateway/subscription.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace godwit::gateway {
namespace {

// The pause after a sweep is so many times its duration, within these bounds (chosen: unnoticed
// beside a WAN's round trip, and no subscriber waits for ever for a busy worker).
constexpr std::int64_t kPauseFactor = 8;
constexpr Duration kPauseMin = Duration::ms(2);
constexpr Duration kPauseMax = Duration::ms(1000);

}  // namespace

Subscription::Subscription(Core& core,
                           Topic& topic,
                           local::TopicHandle handle,
                           ledger::LaneIndex lane,
                           std::uint64_t resume_frontier)
    : core_(core),
      topic_(topic),
      handle_(handle),
      lane_(lane),
      sent_(resume_frontier),
      dirty_(topic.ledger().shape().tile_count(), false),
      body_(local::kBodyBytesMax / sizeof(std::uint64_t)) {
  for (std::uint32_t tile = 0; tile < dirty_.size(); ++tile) {
    if (topic.ledger().touched(tile)) {
      on_changed(tile);
    }
  }
}

void Subscription::on_changed(std::uint32_t tile) {
  if (!dirty_[tile]) {
    dirty_[tile] = true;
    ++dirty_count_;
  }
}

Result<void> Subscription::on_receipt(std::uint64_t frontier) {
  ledger::Ledger& ledger = topic_.ledger();
  if (frontier > sent_) {
    return fail(Code::kCorrupt, "receipt of transfer {}, only {} were sent", frontier, sent_);
  }
  // A local subscriber's word for its frontier is enough; its checksum is the one we froze.
  const auto header = wire::parse_header(ledger.frozen(lane_, frontier));
  if (!header) {
    return {};  // receipted before
  }
  ledger::Receipt receipt;
  receipt.frontier = frontier;
  receipt.checksum = header->cumulative;
  const auto receipted = ledger.on_receipt(lane_, receipt);
  return receipted ? Result<void>{} : Failure(receipted.error());
}

bool Subscription::delivered(std::uint64_t number) const {
  return topic_.ledger().coverage(lane_).value() >= number &&
         sent_ + 1 == topic_.ledger().lane(lane_).next_k;
}

bool Subscription::pump(Instant now, local::Channel& channel, std::size_t ring_bytes) {
  // Chosen: one more transfer than fits half of the ring never blocks replies.
  constexpr int kTransfersPerTurn = 16;
  for (int i = 0; i < kTransfersPerTurn; ++i) {
    if (channel.broken() || channel.bytes_unread() > ring_bytes / 2) {
      return false;
    }
    if (const auto k = topic_.ledger().next_unreceipted(lane_, sent_)) {
      if (!send_frozen(channel, *k)) {
        return false;
      }
      continue;
    }
    if (!next_dirty(now)) {
      return false;
    }
    const Instant began = core_.stopwatch();
    const bool went = freeze_next(channel);
    sweep_spent_ += core_.stopwatch() - began;
    if (!went) {
      return false;
    }
  }
  return true;
}

bool Subscription::next_dirty(Instant now) {
  if (!sweeping_) {
    if (dirty_count_ == 0 || now < sweep_at_) {
      return false;
    }
    sweeping_ = true;
    sweep_spent_ = Duration::zero();
    cursor_ = 0;
  }
  while (cursor_ < dirty_.size() && !dirty_[cursor_]) {
    ++cursor_;
  }
  if (cursor_ == dirty_.size()) {
    sweeping_ = false;
    sweep_at_ = now + std::clamp(sweep_spent_ * kPauseFactor, kPauseMin, kPauseMax);
    return false;
  }
  return true;
}

Instant Subscription::next_wakeup() const {
  return !sweeping_ && dirty_count_ > 0 ? sweep_at_ : Instant::never();
}

bool Subscription::freeze_next(local::Channel& channel) {
  ledger::Ledger& ledger = topic_.ledger();
  Coder& coder = core_.coder;
  const std::uint32_t tile = cursor_;
  if (ledger.window_full(lane_)) {
    return false;
  }
  if (!ledger.begin_transfer(lane_, {})) {
    core_.short_of_storage = true;
    return false;
  }
  ledger.read_open(lane_, tile, coder.open());
  const std::span<std::byte> space = ledger.coded_space(lane_);
  const auto coded = coder.encode(coder.open(), {.bytes = space.size(), .floor = 0}, space);
  if (coded.energy_after < coded.energy_before) {
    if (!ledger.append(lane_,
                       tile,
                       static_cast<std::uint8_t>(coded.id),
                       space.first(coded.bytes),
                       coder.removed(),
                       coded.remainder_max)) {
      core_.short_of_storage = true;
      return false;
    }
    const auto k = ledger.seal(lane_);
    GODWIT_ASSERT(k.has_value(), "a transfer with a tile can be sealed");
    send_removed(channel, *k, tile);
  }
  if (coded.remainder_max == 0) {
    ledger.settle(lane_, tile);
    dirty_[tile] = false;
    --dirty_count_;
  }
  ++cursor_;
  return true;
}

bool Subscription::send_frozen(local::Channel& channel, std::uint64_t k) {
  const auto view =
      wire::parse_transfer(topic_.ledger().frozen(lane_, k), topic_.ledger().shape().tile_count());
  GODWIT_ASSERT(view.has_value(), "what the ledger froze can be read");
  const wire::TilePart part = *view->begin();
  const auto decoded = core_.coder.decode(part.codec, part.coded, core_.coder.removed());
  GODWIT_ASSERT(decoded.has_value(), "what the codec wrote can be read");
  return send_removed(channel, k, part.tile);
}

bool Subscription::send_removed(local::Channel& channel, std::uint64_t k, std::uint32_t tile) {
  const std::uint64_t first = std::uint64_t{tile} * ledger::kTileElements;
  const std::uint64_t count =
      std::min<std::uint64_t>(ledger::kTileElements, topic_.spec().element_count - first);
  local::TransferWriter writer(std::as_writable_bytes(std::span(body_)), handle_, 0, k);
  const bool fits = writer.add(first, core_.coder.removed().first(count));
  GODWIT_ASSERT(fits, "one tile fits a record");
  if (!local::send_transfer(channel, writer.finish())) {
    return false;
  }
  sent_ = k;
  return true;
}

}  // namespace godwit::gateway
