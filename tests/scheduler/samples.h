// What several of the scheduler's tests take for an example.
#pragma once

#include <cstdint>

#include "dataplane/base/ids.h"
#include "scheduler/queue/link_queue.h"

namespace godwit::scheduler {

inline const TopicId kTopic = TopicId::of("model/w");
inline const SiteId kFra = SiteId::of("fra");
inline const SiteId kOre = SiteId::of("ore");

inline constexpr std::uint32_t kTile = 32'768;  // elements
inline const LinkView kLink{.rate = BitRate::mbps(16), .quantum = Bytes::kib(64)};

// A merge that brings a whole tile so much energy.
inline KeyUpdate update(double energy) {
  return {.energy = energy, .elements = kTile};
}

inline KeyUpdate update(double energy, Class traffic_class) {
  return {.energy = energy, .elements = kTile, .traffic_class = traffic_class};
}

}  // namespace godwit::scheduler
