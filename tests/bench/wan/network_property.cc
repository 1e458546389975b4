// Laws of the emulated WAN, for arbitrary traffic, faults and changes.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "bench/wan/network.h"
#include "dataplane/base/random.h"

namespace godwit::wan {
namespace {

constexpr std::size_t kSites = 3;

Plan random_plan(Random& random, bool shared, bool lossless = false) {
  Plan plan;
  plan.sites = {"a", "b", "c"};
  for (std::size_t i = 0; i < kSites * kSites; ++i) {
    LinkSettings link;
    link.rate = random.chance(0.1) ? BitRate::unlimited()
                                   : BitRate::bps(1'000'000 + random.below(200'000'000));
    link.delay = Duration::us(static_cast<std::int64_t>(random.below(50'000)));
    link.loss = lossless || random.chance(0.5) ? 0 : random.uniform() * 0.2;
    link.queue = Bytes(1'500 + random.below(40'000));
    plan.links.push_back(link);
  }
  for (std::size_t i = 0; i < kSites; ++i) {
    const auto line = [&]() -> std::optional<Line> {
      if (!shared || random.chance(0.3)) {
        return std::nullopt;
      }
      return Line{BitRate::bps(1'000'000 + random.below(100'000'000)),
                  Bytes(1'500 + random.below(40'000))};
    };
    plan.uplinks.push_back(line());
    plan.downlinks.push_back(line());
  }
  return plan;
}

// A frame that says who sent it as which one; its length is up to the test.
struct Label {
  std::uint32_t from;
  std::uint32_t number;
};

std::array<std::byte, kFrameBytesMax> labelled(Label label) {
  std::array<std::byte, kFrameBytesMax> frame{};
  std::memcpy(frame.data() + kEthernetHeaderBytes, &label, sizeof label);
  return frame;
}

Label label_of(const Delivery& delivery) {
  Label label{};
  std::memcpy(&label, delivery.frame.data() + kEthernetHeaderBytes, sizeof label);
  return label;
}

// Drives a network with drawn traffic and keeps its own books.
struct Driver {
  Random random;
  Network network;
  Instant now = Instant::from_ns(1'000'000'000);
  std::uint32_t number = 0;
  // By from * kSites + to.
  std::array<std::uint64_t, kSites * kSites> sent{};
  std::array<std::uint64_t, kSites * kSites> dropped{};
  std::array<std::uint64_t, kSites * kSites> arrived{};
  std::array<std::uint64_t, kSites * kSites> bytes_arrived{};
  std::map<std::pair<std::size_t, std::size_t>, std::uint32_t> last;

  Driver(std::uint64_t seed, bool shared)
      : random(seed), network(random_plan(random, shared), seed) {}

  void send() {
    const auto from = static_cast<std::uint32_t>(random.below(kSites));
    const auto to = static_cast<std::uint32_t>((from + 1 + random.below(kSites - 1)) % kSites);
    const auto frame = labelled({from, ++number});
    const std::size_t size = kEthernetHeaderBytes + 60 + random.below(1'440);
    const Outcome outcome =
        network.offer(now, SiteIndex{from}, SiteIndex{to}, std::span(frame).first(size));
    ++sent[from * kSites + to];
    dropped[from * kSites + to] += outcome == Outcome::kHeld ? 0 : 1;
  }

  void receive() {
    while (const auto delivery = network.next_delivery(now)) {
      const Label label = label_of(*delivery);
      const std::size_t pair = label.from * kSites + index(delivery->to);
      ++arrived[pair];
      bytes_arrived[pair] += delivery->frame.size() - kEthernetHeaderBytes;
      std::uint32_t& before = last[{label.from, index(delivery->to)}];
      RC_ASSERT(label.number > before);
      before = label.number;
    }
  }

  void disturb() {
    const std::size_t from = random.below(kSites);
    const std::size_t to = (from + 1 + random.below(kSites - 1)) % kSites;
    switch (random.below(4)) {
      case 0:
        network.cut(from, to);
        break;
      case 1:
        network.heal(from, to);
        break;
      default:
        network.change(now, from, to, random_plan(random, false).links[1]);
    }
  }

  void check_books() const {
    for (std::size_t from = 0; from < kSites; ++from) {
      for (std::size_t to = 0; to < kSites; ++to) {
        const LinkCounters& c = network.link(from, to).counters();
        const std::size_t pair = from * kSites + to;
        const std::uint64_t drops = c.drops_queue + c.drops_loss + c.drops_cut;
        RC_ASSERT(c.packets_in == sent[pair]);
        RC_ASSERT(c.packets == arrived[pair]);
        RC_ASSERT(c.bytes == bytes_arrived[pair]);
        RC_ASSERT(drops >= dropped[pair]);
        RC_ASSERT(c.packets_in == c.packets + drops + c.packets_held);
        RC_ASSERT(c.bytes_in == c.bytes + c.bytes_dropped + c.bytes_held);
      }
    }
  }
};

RC_GTEST_PROP(Network,
              ConservesPacketsAndKeepsTheirOrderThroughCutsAndChanges,
              (std::uint64_t seed, bool shared)) {
  Driver driver(seed, shared);
  for (int i = 0; i < 600; ++i) {
    driver.now += Duration::us(static_cast<std::int64_t>(driver.random.below(800)));
    driver.receive();
    driver.send();
    if (driver.random.chance(0.02)) {
      driver.disturb();
    }
  }
  driver.check_books();
  // In the end everything that is held comes out, and nothing before it is due.
  for (Instant due; (due = driver.network.next_wakeup()) != Instant::never();) {
    driver.now = std::max(driver.now, due);
    driver.receive();
  }
  driver.check_books();
  for (std::size_t pair = 0; pair < kSites * kSites; ++pair) {
    const auto& link = driver.network.link(pair / kSites, pair % kSites);
    RC_ASSERT(link.counters().packets_held == 0U);
  }
}

RC_GTEST_PROP(Network,
              NeverExceedsTheRateOfALinkOrOfASharedLine,
              (std::uint64_t seed, bool shared)) {
  Random random(seed);
  const Plan plan = random_plan(random, shared, true);
  Network network(plan, seed);
  // Both other sites flood site 0 for 200 ms.
  Instant now = Instant::from_ns(0);
  const auto frame = labelled({0, 0});
  for (int i = 0; i < 2'000; ++i) {
    now += Duration::us(100);
    for (std::uint32_t from = 1; from < kSites; ++from) {
      network.offer(now, SiteIndex{from}, SiteIndex{0}, std::span(frame).first(1'514));
    }
    while (network.next_delivery(now)) {
    }
  }
  // What has left a line in a time t is at most rate * t and the packet in transmission.
  const auto most = [&](BitRate rate) {
    return rate.is_unlimited() ? ~std::uint64_t{0}
                               : rate.bytes_in(now - Instant::from_ns(0)).count() + 1'500;
  };
  std::uint64_t all = 0;
  for (std::size_t from = 1; from < kSites; ++from) {
    const std::uint64_t bytes = network.link(from, 0).counters().bytes;
    RC_ASSERT(bytes <= most(plan.link(from, 0).rate));
    if (plan.uplinks[from]) {
      RC_ASSERT(bytes <= most(plan.uplinks[from]->rate));
    }
    all += bytes;
  }
  if (plan.downlinks[0]) {
    RC_ASSERT(all <= most(plan.downlinks[0]->rate));
  }
}

RC_GTEST_PROP(Network, UsesTheWholeRateWhenMoreIsOffered, (std::uint64_t seed)) {
  Random random(seed);
  Plan plan = random_plan(random, false, true);
  LinkSettings& link = plan.link(1, 0);
  link.rate = BitRate::bps(5'000'000 + random.below(80'000'000));
  link.queue = Bytes(10'000);  // with room for one packet only, the line would idle between two
  Network network(plan, seed);
  Instant now = Instant::from_ns(0);
  const auto frame = labelled({1, 0});
  for (int i = 0; i < 5'000; ++i) {  // 120 Mbit/s for half a second
    now += Duration::us(100);
    network.offer(now, SiteIndex{1}, SiteIndex{0}, std::span(frame).first(1'514));
    while (network.next_delivery(now)) {
    }
  }
  const Duration carrying = now - Instant::from_ns(0) - link.delay - Duration::us(100);
  const std::uint64_t delivered = network.link(1, 0).counters().bytes;
  RC_ASSERT(delivered + 2 * 1'500 >= link.rate.bytes_in(carrying).count());
}

RC_GTEST_PROP(Network, DeliversTheSameWhenAskedLate, (std::uint64_t seed)) {
  const auto run = [seed](bool punctual) {
    Random random(seed);
    Network network(random_plan(random, true, true), seed);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> arrivals;
    const auto receive = [&](Instant now) {
      while (const auto delivery = network.next_delivery(now)) {
        const Label label = label_of(*delivery);
        arrivals.emplace_back(label.from, label.number);
      }
    };
    Instant now = Instant::from_ns(0);
    for (std::uint32_t i = 0; i < 200; ++i) {
      now += Duration::us(static_cast<std::int64_t>(random.below(2'000)));
      if (punctual) {
        for (Instant due; (due = network.next_wakeup()) <= now;) {
          receive(due);
        }
      } else {
        receive(now);
      }
      const auto from = static_cast<std::uint32_t>(random.below(kSites));
      const auto frame = labelled({from, i});
      network.offer(now, SiteIndex{from}, SiteIndex{(from + 1) % 3}, std::span(frame).first(1'000));
    }
    receive(now + Duration::seconds(10));
    std::sort(arrivals.begin(), arrivals.end());
    return arrivals;
  };
  RC_ASSERT(run(true) == run(false));
}

}  // namespace
}  // namespace godwit::wan
