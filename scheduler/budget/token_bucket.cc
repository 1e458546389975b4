// Credit in units of 1 bit·ns/s: no rounding anywhere.
#include "scheduler/budget/token_bucket.h"

#include <algorithm>

namespace godwit::scheduler {

namespace {

constexpr std::uint64_t kPerByte = 8'000'000'000;  // 8 bits × 10⁹ ns/s.

std::uint64_t credit_of(Bytes bytes) {
  return bytes.count() * kPerByte;
}

Bytes cut(Bytes burst) {
  return std::min(burst, TokenBucket::kBurstMax);
}

}  // namespace

TokenBucket::TokenBucket(Instant now, BitRate rate, Bytes burst)
    : rate_(rate), burst_(cut(burst)), last_(now), credit_(credit_of(burst_)) {}

std::uint64_t TokenBucket::credit_at(Instant now) const {
  const std::uint64_t full = credit_of(burst_);
  const std::uint64_t rate = rate_.bits_per_second();
  if (now <= last_ || rate == 0 || credit_ >= full) {
    return credit_;
  }
  const auto elapsed = static_cast<std::uint64_t>((now - last_).count_ns());
  // Dividing first: rate × elapsed may not fit 64 bits, but then the bucket is full.
  return elapsed > (full - credit_) / rate ? full : credit_ + rate * elapsed;
}

void TokenBucket::refill(Instant now) {
  credit_ = credit_at(now);
  last_ = std::max(last_, now);
}

bool TokenBucket::try_take(Instant now, Bytes bytes) {
  if (unlimited()) {
    return true;
  }
  refill(now);
  if (bytes > burst_ || credit_of(bytes) > credit_) {
    return false;
  }
  credit_ -= credit_of(bytes);
  return true;
}

Bytes TokenBucket::available(Instant now) const {
  return unlimited() ? burst_ : Bytes(credit_at(now) / kPerByte);
}

Instant TokenBucket::ready_at(Instant now, Bytes bytes) const {
  if (unlimited()) {
    return now;
  }
  if (bytes > burst_) {
    return Instant::never();
  }
  const std::uint64_t credit = credit_at(now);
  const std::uint64_t needed = credit_of(bytes);
  if (needed <= credit) {
    return now;
  }
  const std::uint64_t rate = rate_.bits_per_second();
  if (rate == 0) {
    return Instant::never();
  }
  const std::uint64_t wait = (needed - credit - 1) / rate + 1;
  return std::max(now, last_) + Duration::ns(static_cast<std::int64_t>(wait));
}

void TokenBucket::set_rate(Instant now, BitRate rate) {
  refill(now);
  rate_ = rate;
}

void TokenBucket::set_burst(Instant now, Bytes burst) {
  refill(now);
  burst_ = cut(burst);
  credit_ = std::min(credit_, credit_of(burst_));
}

}  // namespace godwit::scheduler
