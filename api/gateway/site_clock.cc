#include "api/gateway/site_clock.h"

#include <algorithm>

namespace godwit::gateway {

void SiteClock::expect(const std::vector<PublisherId>& tickers) {
  missing_.insert(tickers.begin(), tickers.end());
}

bool SiteClock::give_up() {
  const bool any = expects();
  missing_.clear();
  return any;
}

bool SiteClock::on_tick(const void* connection, PublisherId who, std::uint64_t clock) {
  const auto [at, is_new] = connected_.try_emplace(connection, Ticker{who, clock});
  at->second.clock = std::max(at->second.clock, clock);
  const bool was_missing = missing_.erase(who) > 0;
  return is_new && !was_missing;
}

bool SiteClock::on_leave(const void* connection) {
  return connected_.erase(connection) > 0;
}

std::uint64_t SiteClock::reached() const {
  if (expects() || connected_.empty()) {
    return 0;
  }
  const auto least =
      std::min_element(connected_.begin(), connected_.end(), [](const auto& a, const auto& b) {
        return a.second.clock < b.second.clock;
      });
  return least->second.clock;
}

std::vector<PublisherId> SiteClock::tickers() const {
  std::set<PublisherId> all = missing_;
  for (const auto& [connection, ticker] : connected_) {
    all.insert(ticker.who);
  }
  std::vector<PublisherId> listed(all.begin(), all.end());
  listed.resize(std::min(listed.size(), kRememberedMax));
  return listed;
}

}  // namespace godwit::gateway
