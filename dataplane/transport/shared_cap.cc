#include "dataplane/transport/shared_cap.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/transport/shaper.h"

namespace godwit::transport {

SharedCap::SharedCap(BitRate cap, std::uint32_t workers)
    : usable_(LinkShaper::usable(cap)), credit_(LinkShaper::credit_at(usable_)) {
  GODWIT_ASSERT(workers > 0 && !cap.is_unlimited(), "workers share a cap");
  part_ = BitRate::bps(usable_.bits_per_second() / workers);
  GODWIT_ASSERT(part_ > BitRate(), "every worker has a part of the cap");
}

Instant SharedCap::book(Instant earliest, std::uint64_t layer3_bytes) {
  const std::int64_t time = usable_.time_for(Bytes(layer3_bytes)).count_ns();
  std::int64_t stands = clock_.load(std::memory_order_relaxed);
  std::int64_t begins = 0;
  do {
    begins = std::max(stands, earliest.ns());
  } while (!clock_.compare_exchange_weak(stands, begins + time, std::memory_order_relaxed));
  sent_.fetch_add(layer3_bytes, std::memory_order_relaxed);
  return Instant::from_ns(begins);
}

CapShare::CapShare(SharedCap& whole)
    : whole_(&whole),
      left_(whole.part()),
      look_every_(std::max(kLookEvery, whole.usable().time_for(kLookBytes))) {}

Instant CapShare::ready_at() const {
  return std::min(clock_, whole_->ready_at());
}

void CapShare::charge(Instant now, std::uint64_t layer3_bytes, bool has_waited) {
  const Instant earliest = has_waited ? now - whole_->credit() : now;
  const Instant begins = whole_->book(earliest, layer3_bytes);
  sent_ += layer3_bytes;
  const Instant counted = std::max(clock_, earliest) + whole_->part().time_for(Bytes(layer3_bytes));
  const Instant is_over = begins + whole_->usable().time_for(Bytes(layer3_bytes));
  // When the line is free behind the train, nobody else needed what it took of it.
  clock_ = std::min(counted, std::max(clock_, is_over));
  look(now);
}

void CapShare::look(Instant now) {
  const bool is_first = looked_at_ == Instant::never();
  if (!is_first && now - looked_at_ < look_every_) {
    return;
  }
  const std::uint64_t others = whole_->sent() - sent_;
  if (!is_first) {
    const auto bits = static_cast<double>(others - others_seen_) * 8;
    const auto taken =
        BitRate::bps(static_cast<std::uint64_t>(bits / (now - looked_at_).to_seconds()));
    const std::uint64_t usable = whole_->usable().bits_per_second();
    left_ =
        std::max(whole_->part(), BitRate::bps(usable - std::min(usable, taken.bits_per_second())));
  }
  looked_at_ = now;
  others_seen_ = others;
}

}  // namespace godwit::transport
