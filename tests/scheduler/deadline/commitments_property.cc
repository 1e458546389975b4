// Promises against arithmetic by hand: what is admitted is what can be kept, and no less.
#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "scheduler/deadline/commitments.h"

namespace godwit::scheduler {
namespace {

// The same, by the definition: every deadline's demand is added up anew.
class Ledger {
 public:
  explicit Ledger(Instant now, BitRate rate) : origin_(now), rate_(rate) {}

  void set_rate(Instant now, BitRate rate) {
    origin_ = now;
    rate_ = rate;
  }
  bool fits(Instant now, std::uint64_t bytes, Instant deadline) const {
    auto all = promises;
    all[kAsked] = {bytes, deadline};
    for (const auto& [id, one] : all) {
      if (one.deadline < deadline) {
        continue;  // what is due earlier does not notice
      }
      std::uint64_t due = 0;
      for (const auto& [other_id, other] : all) {
        due += other.deadline <= one.deadline ? other.bytes : 0;
      }
      if (due + elapsed(now) > capacity(one.deadline)) {
        return false;
      }
    }
    return true;
  }

  struct Promise {
    std::uint64_t bytes = 0;
    Instant deadline;
  };
  std::map<Commitments::Id, Promise> promises;

 private:
  static constexpr Commitments::Id kAsked = UINT32_MAX;
  std::uint64_t capacity(Instant until) const {
    return until <= origin_ ? 0 : rate_.bytes_in(until - origin_).count();
  }
  std::uint64_t elapsed(Instant now) const {
    return capacity(now) + (now > origin_ && rate_ > BitRate() ? 1 : 0);
  }
  Instant origin_;
  BitRate rate_;
};

Duration drawn_time() {
  return Duration::us(*rc::gen::inRange<std::int64_t>(0, 400'000));
}

BitRate drawn_rate() {
  return *rc::gen::element(
      BitRate(), BitRate::bps(1), BitRate::bps(64'000), BitRate::mbps(1), BitRate::mbps(50));
}

RC_GTEST_PROP(Commitments, AdmitExactlyWhatCanBeKept, ()) {
  Instant now = Instant::from_ns(*rc::gen::inRange<std::int64_t>(0, 1'000'000));
  BitRate rate = drawn_rate();
  Commitments book(now, rate, 24);
  Ledger ledger(now, rate);
  for (int step = 0; step < 120; ++step) {
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
        now += drawn_time() / 4;
        while (const auto broken = book.take_broken(now)) {
          RC_ASSERT(broken->deadline <= now);
          RC_ASSERT(ledger.promises.at(broken->id).bytes == broken->left.count());
          ledger.promises.erase(broken->id);
        }
        break;
      case 1:
        if (*rc::gen::inRange(0, 4) == 0) {
          rate = drawn_rate();
          book.set_rate(now, rate);
          ledger.set_rate(now, rate);
        }
        break;
      case 2:
        if (const auto due = book.next()) {
          for (const auto& [id, one] : ledger.promises) {
            RC_ASSERT(one.deadline >= due->deadline);
          }
          const std::uint64_t sent = *rc::gen::inRange<std::uint64_t>(0, due->left.count() + 2);
          book.on_sent(due->id, Bytes(sent));
          auto& one = ledger.promises.at(due->id);
          one.bytes -= std::min(one.bytes, sent);
          if (one.bytes == 0) {
            ledger.promises.erase(due->id);
          }
        }
        break;
      case 3:
        if (!ledger.promises.empty() && *rc::gen::inRange(0, 3) == 0) {
          const Commitments::Id id = ledger.promises.begin()->first;
          book.release(id);
          ledger.promises.erase(id);
        }
        break;
      default: {
        const auto bytes = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 100),
                                           rc::gen::inRange<std::uint64_t>(1, 2'000'000));
        const Instant deadline = now + drawn_time();
        const auto quote = book.quote(now, Bytes(bytes), deadline);
        const bool fits = ledger.fits(now, bytes, deadline);
        RC_ASSERT(fits == (quote.most.count() >= bytes));
        RC_ASSERT(quote.most.count() == 0 || ledger.fits(now, quote.most.count(), deadline));
        RC_ASSERT(!ledger.fits(now, quote.most.count() + 1, deadline));
        if (quote.earliest != Instant::never()) {
          RC_ASSERT(ledger.fits(now, bytes, quote.earliest));
          RC_ASSERT(quote.earliest == now ||
                    !ledger.fits(now, bytes, quote.earliest - Duration::ns(1)));
        } else {
          RC_ASSERT(rate == BitRate());
        }
        const auto id = book.commit(now, Bytes(bytes), deadline);
        RC_ASSERT(id.has_value() == (fits && ledger.promises.size() < 24));
        if (id) {
          RC_ASSERT(ledger.promises.count(*id) == 0U);
          ledger.promises[*id] = {bytes, deadline};
        }
      }
    }
    std::uint64_t left = 0;
    for (const auto& [id, one] : ledger.promises) {
      left += one.bytes;
    }
    RC_ASSERT(book.left().count() == left);
    RC_ASSERT(book.size() == ledger.promises.size());
  }
}

// The rate is kept to the bit, a quantum at a time, the earliest first: nothing is broken.
RC_GTEST_PROP(Commitments, AreKeptAtTheirRate, ()) {
  const BitRate rate = *rc::gen::element(BitRate::bps(64'000), BitRate::mbps(8));
  const Bytes quantum(*rc::gen::inRange<std::uint64_t>(1, 2'000));
  Instant now = Instant::from_ns(5);
  Commitments book(now, rate, 64);
  Instant idle = now;  // the line is free from then
  for (int step = 0; step < 200; ++step) {
    if (*rc::gen::inRange(0, 3) == 0) {
      // A quantum that has begun is in front of what comes; so it asks for a little more time.
      const Instant deadline = now + drawn_time();
      book.commit(now, Bytes(*rc::gen::inRange<std::uint64_t>(1, 300'000)), deadline);
    }
    if (const auto due = book.next()) {
      const Bytes sent = std::min(quantum, due->left);
      idle = std::max(idle, now) + rate.time_for(sent);
      now = idle;
      book.on_sent(due->id, sent);
      // One quantum of another one may be in front, and each is rounded up to a nanosecond.
      RC_ASSERT(now <= due->deadline + rate.time_for(quantum) + Duration::ns(step + 1));
      RC_ASSERT(!book.take_broken(now - rate.time_for(quantum) - Duration::ns(step + 1)));
    } else {
      now += drawn_time() / 50;
    }
  }
}

}  // namespace
}  // namespace godwit::scheduler
