#include "dataplane/transport/redial.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::transport {

Redial::Redial(Random& random, RedialOptions options) : random_(random), options_(options) {
  GODWIT_ASSERT(options_.delay_first > Duration::zero());
  GODWIT_ASSERT(options_.delay_max <= Duration::ms(1000), "recovery is promised within a second");
}

void Redial::on_attempt(Instant) {
  next_ = Instant::never();
}

void Redial::on_success() {
  next_ = Instant::never();
  failures_ = 0;
}

void Redial::on_failure(Instant now) {
  // 2^20 first delays exceed every permitted maximum; the shift stays far from overflow.
  const auto doublings = static_cast<unsigned>(std::min<std::uint64_t>(failures_, 20));
  const Duration limit =
      std::min(options_.delay_first * (std::int64_t{1} << doublings), options_.delay_max);
  ++failures_;
  const auto span = static_cast<std::uint64_t>(limit.count_ns()) + 1;
  next_ = now + Duration::ns(static_cast<std::int64_t>(random_.below(span)));
}

}  // namespace godwit::transport
