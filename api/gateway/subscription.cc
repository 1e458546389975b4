#include "api/gateway/subscription.h"

#include <algorithm>

#include "codec/kernels.h"
#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace godwit::gateway {
namespace {

// The pause after a sweep is so many times its duration, within these bounds (chosen: unnoticed
// beside a WAN's round trip, and no subscriber waits for ever for a busy worker).
constexpr std::int64_t kPauseFactor = 4;
constexpr Duration kPauseMin = Duration::ms(2);
constexpr Duration kPauseMax = Duration::ms(1000);

// The codec number of a subscriber's tiles: none, the bytes are the Transfer record.
constexpr std::uint8_t kRecordItself = 0xFF;

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
      mark(tile);
    }
  }
}

void Subscription::on_changed(std::uint32_t tile) {
  // What the client published itself has moved its S along: nothing is open then.
  if (topic_.ledger().dirty(lane_, tile)) {
    mark(tile);
  }
}

void Subscription::mark(std::uint32_t tile) {
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
  // Chosen: about 1 ms. One more transfer than fits half of the ring never blocks replies.
  constexpr int kTransfersPerTurn = 6;
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

// Freezes and sends as many blocks of the tile at the cursor as one transfer takes.
bool Subscription::freeze_next(local::Channel& channel) {
  ledger::Ledger& ledger = topic_.ledger();
  Coder& coder = core_.coder;
  if (ledger.window_full(lane_)) {
    return false;
  }
  if (!ledger.begin_transfer(lane_, {})) {
    core_.short_of_storage = true;
    return false;
  }
  const std::uint32_t tile = cursor_;
  const std::uint64_t k = ledger.lane(lane_).next_k;
  ledger.read_open(lane_, tile, coder.open());
  const Written written = write_blocks(k, ledger.coded_space(lane_).size());
  if (written.blocks > 0) {
    if (!ledger.append(
            lane_, tile, kRecordItself, written.body, coder.removed(), written.remainder_max)) {
      core_.short_of_storage = true;
      return false;
    }
    const auto sealed = ledger.seal(lane_);
    GODWIT_ASSERT(sealed.has_value() && *sealed == k, "a transfer with a tile can be sealed");
    if (local::send_transfer(channel, written.body)) {
      sent_ = k;
    }
  }
  if (written.remainder_max == 0) {
    ledger.settle(lane_, tile);
    dirty_[tile] = false;
    --dirty_count_;
    ++cursor_;
  }
  return true;
}

// The record of transfer k with the first open blocks that fit; removed() holds their integers.
Subscription::Written Subscription::write_blocks(std::uint64_t k, std::size_t room) {
  const std::span<const std::int64_t> open = core_.coder.open();
  const std::span<std::int64_t> removed = core_.coder.removed();
  const std::uint64_t first = std::uint64_t{cursor_} * ledger::kTileElements;
  const std::uint64_t end =
      std::min<std::uint64_t>(ledger::kTileElements, topic_.spec().element_count() - first);
  const auto body = std::as_writable_bytes(std::span(body_));
  local::TransferWriter writer(body.first(std::min(room, body.size())), handle_, 0, k);
  Written written;
  bool full = false;
  for (std::uint64_t at = 0; at < ledger::kTileElements; at += ledger::kBlockElements) {
    const auto block = open.subspan(at, ledger::kBlockElements);
    const auto to = removed.subspan(at, ledger::kBlockElements);
    const std::uint64_t largest = codec::max_abs(block);
    if (largest > 0) {
      full = full ||
             !writer.add(first + at,
                         block.first(std::min<std::uint64_t>(ledger::kBlockElements, end - at)));
    }
    if (largest > 0 && !full) {
      std::copy(block.begin(), block.end(), to.begin());
      ++written.blocks;
    } else {
      std::fill(to.begin(), to.end(), 0);
      written.remainder_max = std::max(written.remainder_max, largest);
    }
  }
  written.body = writer.finish();
  return written;
}

bool Subscription::send_frozen(local::Channel& channel, std::uint64_t k) {
  const auto view =
      wire::parse_transfer(topic_.ledger().frozen(lane_, k), topic_.ledger().shape().tile_count());
  GODWIT_ASSERT(view.has_value(), "what the ledger froze can be read");
  const std::span<const std::byte> frozen = (*view->begin()).coded;
  const auto body = std::as_writable_bytes(std::span(body_)).first(frozen.size());
  std::copy(frozen.begin(), frozen.end(), body.begin());
  local::readdress_transfer(body, handle_);
  if (!local::send_transfer(channel, body)) {
    return false;
  }
  sent_ = k;
  return true;
}

}  // namespace godwit::gateway
