// Two sites with one established session between them, and bytes that tell which transfer they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/dataplane/transport/world.h"

namespace godwit::transport::testing {

inline std::vector<std::byte> numbered(std::uint32_t number, std::size_t size) {
  std::vector<std::byte> bytes(std::max<std::size_t>(size, 4));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = static_cast<std::byte>((number >> (8 * (at % 4))) + at / 256);
  }
  return bytes;
}

// A pair of sites with one established session each.
struct Pair {
  explicit Pair(std::uint64_t seed,
                const port::LinkConditions& conditions = {.delay = Duration::ms(20)},
                BitRate cap = BitRate::unlimited(),
                QuicOptions options = {})
      : world(seed, options), a(world.site("fra")), b(world.site("nyc")) {
    world.join(a, b, conditions, cap);
    dialled = world.dial(a, b);
    const bool met = world.run_until(
        [&] {
          return !b.sessions.empty() && b.seen.front()->is_established &&
                 a.seen.front()->is_established;
        },
        Duration::ms(20'000));
    EXPECT_TRUE(met);
    accepted = met ? b.sessions.front() : nullptr;
  }
  World world;
  Site& a;
  Site& b;
  Session* dialled = nullptr;
  Session* accepted = nullptr;
};

// Bulk without end: as much as the session takes, in transfers of so many bytes.
inline void keep_busy(Site& site, Session& session, std::size_t bytes) {
  site.on_turn = [&session, transfer = std::vector<std::byte>(bytes)](Instant now, Site&) {
    while (session.wants_transfer()) {
      session.send_transfer(now, transfer, Precedence::kNormal);
    }
  };
}

}  // namespace godwit::transport::testing
