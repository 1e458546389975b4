// A scenario that is not drawn: two sites, a link of QUIC, and a trainer at each that publishes the
// whole model every 200 ms until `heal`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/sim/scenario.h"

namespace godwit::sim {

// What differs: the model and how large a publish's integers are.
struct Training {
  std::uint64_t elements = 1;
  std::uint64_t magnitude = 1;
  std::size_t to_gateway_bytes = 0;
  std::size_t to_client_bytes = 0;
};

inline Scenario two_training_sites(const LinkDraw& link, const Training& training) {
  Scenario scenario;
  scenario.options = {.seed = 1, .level = Level::kQuic, .sites = 2};
  scenario.sites = {"ams", "bom"};
  scenario.links.assign(4, link);
  TopicDraw& topic = scenario.topics.emplace_back();
  topic.name = "model";
  topic.element_count = training.elements;
  topic.fraction_bits = 20;
  for (std::size_t site = 0; site < 2; ++site) {
    ClientDraw& trainer = scenario.clients.emplace_back();
    trainer.site = site;
    trainer.publishes = trainer.subscribes = trainer.named = true;
    trainer.publishes_max = 100'000;
    trainer.unsafe_max = 4;
    trainer.period = Duration::ms(200);
    trainer.dense = 1.0;
    trainer.magnitude = training.magnitude;
    trainer.to_gateway_bytes = training.to_gateway_bytes;
    trainer.to_client_bytes = training.to_client_bytes;
  }
  scenario.begin = Instant::from_ns(1'000'000'000);
  return scenario;
}

}  // namespace godwit::sim
