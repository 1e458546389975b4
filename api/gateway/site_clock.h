// A topic's clock at this site: the least of its tickers' clocks, never back.
//
// A ticker is a client that has ticked; it counts until it leaves. Who ticks is remembered over a
// restart of the gateway: until all who did are back, or are given up, the clock stands still.
// Otherwise the first to come back would speak for a slower one that is about to, and the clock
// would promise iterations that the slower one has not published.
//
// Thread: the worker. Memory: one entry a ticker.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "dataplane/base/ids.h"

namespace godwit::gateway {

class SiteClock {
 public:
  // Remembered over a restart; those beyond are not waited for. Chosen: far above any site.
  static constexpr std::size_t kRememberedMax = 256;

  // Who ticked before the gateway's restart.
  void expect(const std::vector<PublisherId>& tickers);
  // Those that did not come back are given up. True: there were some.
  bool give_up();
  bool expects() const { return !missing_.empty(); }

  // A client's clock, by its connection; lower ones are ignored. True: who ticks has changed.
  bool on_tick(const void* connection, PublisherId who, std::uint64_t clock);
  // The connection has ended. True: who ticks has changed.
  bool on_leave(const void* connection);

  // Everybody who ticks has reached it; 0 while somebody is expected or nobody ticks.
  std::uint64_t reached() const;
  // Who ticks, and who is expected, to be remembered: ascending.
  std::vector<PublisherId> tickers() const;
  std::size_t connected() const { return connected_.size(); }

 private:
  struct Ticker {
    PublisherId who;
    std::uint64_t clock = 0;
  };
  std::map<const void*, Ticker> connected_;
  std::set<PublisherId> missing_;
};

}  // namespace godwit::gateway
