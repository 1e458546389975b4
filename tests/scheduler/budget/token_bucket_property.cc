// In every window the bytes taken are at most rate × time + burst.
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "scheduler/budget/token_bucket.h"

namespace godwit::scheduler {
namespace {

__extension__ using Wide = unsigned __int128;

RC_GTEST_PROP(TokenBucketProperty, NeverExceedsRateTimesTimePlusBurst, ()) {
  const auto rate = *rc::gen::inRange<std::uint64_t>(1, 100'000'000'000);
  const auto burst = *rc::gen::inRange<std::uint64_t>(1, 1'000'000);
  TokenBucket bucket(Instant::from_ns(0), BitRate::bps(rate), Bytes(burst));
  struct Taken {
    std::int64_t at;
    std::uint64_t bytes;
  };
  std::vector<Taken> taken;
  std::int64_t now = 0;
  const auto steps = *rc::gen::inRange(1, 100);
  for (int i = 0; i < steps; ++i) {
    now += *rc::gen::inRange<std::int64_t>(0, 1'000'000);
    const auto bytes = *rc::gen::inRange<std::uint64_t>(0, burst + 2);
    if (bucket.try_take(Instant::from_ns(now), Bytes(bytes))) {
      taken.push_back({now, bytes});
    }
  }
  for (std::size_t first = 0; first < taken.size(); ++first) {
    Wide sum = 0;
    for (std::size_t last = first; last < taken.size(); ++last) {
      sum += taken[last].bytes;
      const auto elapsed = static_cast<std::uint64_t>(taken[last].at - taken[first].at);
      RC_ASSERT(sum * 8'000'000'000U <= Wide{rate} * elapsed + Wide{burst} * 8'000'000'000U);
    }
  }
}

RC_GTEST_PROP(TokenBucketProperty, IsReadyExactlyWhenItSays, ()) {
  const auto rate = *rc::gen::inRange<std::uint64_t>(1, 100'000'000'000);
  const auto burst = *rc::gen::inRange<std::uint64_t>(1, 1'000'000);
  const auto bytes = *rc::gen::inRange<std::uint64_t>(1, burst + 1);
  TokenBucket bucket(Instant::from_ns(0), BitRate::bps(rate), Bytes(burst));
  RC_ASSERT(bucket.try_take(Instant::from_ns(0), Bytes(burst)));
  const Instant ready = bucket.ready_at(Instant::from_ns(0), Bytes(bytes));
  RC_ASSERT(bucket.available(ready - Duration::ns(1)) < Bytes(bytes));
  RC_ASSERT(bucket.try_take(ready, Bytes(bytes)));
}

}  // namespace
}  // namespace godwit::scheduler
