// A clock is never released before its data is covered, and never withheld for ever.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "scheduler/clocks/clock_table.h"

namespace godwit::scheduler {
namespace {

RC_GTEST_PROP(ClockTableProperty, ReleasesOnlyWhatIsCoveredAndInTheEndEverything, ()) {
  const TopicId topic = TopicId::of("t");
  const SiteId site = SiteId::of("s");
  ClockTable table;
  table.declare(topic, std::array{site});
  std::map<std::uint64_t, std::uint64_t> number_of;  // What each clock needs.
  std::uint64_t clock = 0;
  std::uint64_t number = 0;
  std::uint64_t covered = 0;
  std::uint64_t before = 0;
  const auto steps = *rc::gen::inRange(1, 300);
  for (int i = 0; i < steps; ++i) {
    if (*rc::gen::inRange(0, 3) != 0) {
      clock += *rc::gen::inRange<std::uint64_t>(1, 3);
      number += *rc::gen::inRange<std::uint64_t>(0, 5);
      number_of[clock] = number;
      table.on_tick(topic, site, clock, number);
    } else {
      covered = std::min(number, covered + *rc::gen::inRange<std::uint64_t>(0, 9));
      table.on_coverage(topic, site, covered);
    }
    const std::uint64_t released = table.clock(topic, site);
    RC_ASSERT(released >= before);
    const bool earned = released == 0 || number_of.at(released) <= covered;
    RC_ASSERT(earned);
    before = released;
  }
  table.on_coverage(topic, site, number);
  RC_ASSERT(table.clock(topic, site) == clock);
}

}  // namespace
}  // namespace godwit::scheduler
