#include "dataplane/transport/path_mtu.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::transport {

PathMtu::PathMtu(std::size_t cap) : cap_(cap), too_large_(cap + 1) {
  GODWIT_ASSERT(cap >= kBase, "QUIC needs datagrams of 1,200 bytes");
}

void PathMtu::start() {
  is_started_ = true;
  aim(Instant::from_ns(0));
}

void PathMtu::stop() {
  is_started_ = false;
  is_due_ = false;
  deadline_ = Instant::never();
}

void PathMtu::lower_cap(std::size_t cap) {
  cap_ = std::clamp(cap, kBase, cap_);
  bytes_ = std::min(bytes_, cap_);
  too_large_ = std::min(too_large_, cap_ + 1);
}

// Chooses the next size to try, or ends the search.
void PathMtu::aim(Instant now) {
  lost_ = 0;
  under_way_ = 0;
  is_confirming_ = false;
  const bool cap_is_untried = too_large_ > cap_;
  const std::size_t gap = too_large_ - bytes_;
  is_hinted_ = hint_ > bytes_ && hint_ < too_large_;
  is_due_ = is_started_ && (is_hinted_ || gap > (cap_is_untried ? 1 : kResolution));
  target_ = is_hinted_ ? hint_ : cap_is_untried ? cap_ : bytes_ + gap / 2;
  hint_ = 0;
  deadline_ = is_started_ && !is_due_ && bytes_ < cap_ ? now + kRaiseAfter : Instant::never();
}

void PathMtu::on_probe_sent(Instant now, std::size_t bytes, Duration patience) {
  GODWIT_ASSERT(is_due_ && bytes <= target_);
  is_due_ = false;
  under_way_ = bytes;
  deadline_ = now + std::max(patience, kPatienceMin);
  ++probes_sent_;
}

void PathMtu::on_probe_acked(Instant now) {
  if (under_way_ == 0) {
    return;  // it was given up before
  }
  passed_at_ = now;
  bytes_ = std::max(bytes_, under_way_);
  // A probe may be a few bytes short of its target; a cap that passed is not tried again.
  too_large_ = target_ == cap_ ? bytes_ + 1 : std::max(too_large_, bytes_ + 1);
  aim(now);
}

void PathMtu::on_probe_lost(Instant now) {
  if (under_way_ == 0) {
    return;
  }
  ++probes_lost_;
  under_way_ = 0;
  deadline_ = Instant::never();
  if (++lost_ < kTries) {
    is_due_ = true;
    return;
  }
  too_large_ = target_;
  if (is_confirming_) {
    bytes_ = kBase;
    ++black_holes_;
  }
  aim(now);
}

void PathMtu::suspect(Instant now, Duration patience) {
  if (now >= passed_at_ + patience) {
    confirm();
  }
}

void PathMtu::confirm() {
  if (!is_started_ || is_confirming_ || under_way_ != 0 || bytes_ == kBase) {
    return;
  }
  lost_ = 0;
  is_confirming_ = true;
  is_due_ = true;
  target_ = bytes_;
}

void PathMtu::on_hint(Instant now, std::size_t bytes) {
  if (!is_started_ || bytes < kBase || bytes == bytes_ || bytes >= too_large_) {
    return;
  }
  hint_ = bytes;
  if (bytes < bytes_) {
    confirm();
  } else if (!is_confirming_ && !is_hinted_) {
    aim(now);
  }
}

bool PathMtu::on_timeout(Instant now) {
  if (deadline_ <= now) {
    if (under_way_ != 0) {
      on_probe_lost(now);
    } else {
      too_large_ = cap_ + 1;  // the path may have become a better one
      aim(now);
    }
  }
  return is_due_;
}

}  // namespace godwit::transport
