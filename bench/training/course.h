// One course of training over several sites: local steps, what they changed through lanes, an outer
// optimiser, round after round.
//
//   site 0 ─ steps ─▶ change ─▶ lane ─┐
//   site 1 ─ steps ─▶ change ─▶ lane ─┼─▶ sum of what was decoded / sites ─▶ outer ─▶ parameters
//   …                                 ┘                        of all sites, equal in every round
//
// Thread: pure function. Memory: 40 bytes a parameter and site.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "bench/training/task.h"

namespace godwit::bench_training {

// How a round's changes become a step of all sites.
struct Outer {
  std::string_view name;
  std::string_view what;
  float rate = 1;
  float momentum = 0;
  bool is_published = false;  // each site turns its own change before it publishes it
  float inside = 0;           // momentum of the sites' own optimisers
  bool keeps_rest = true;     // what a code leaves goes with a later round
};

// Nesterov's numbers are DiLoCo's.
inline constexpr std::array<Outer, 6> kOuters = {{
    {.name = "average", .what = "the mean of the changes, as it is"},
    {.name = "nesterov",
     .what = "Nesterov's momentum, 0.9 at a rate of 0.7, over what has arrived",
     .rate = 0.7F,
     .momentum = 0.9F},
    {.name = "published",
     .what = "the same over each site's own changes, before it publishes them",
     .rate = 0.7F,
     .momentum = 0.9F,
     .is_published = true},
    {.name = "gentle",
     .what = "Nesterov's momentum, 0.5 at a rate of 0.7, over what has arrived",
     .rate = 0.7F,
     .momentum = 0.5F},
    {.name = "inside",
     .what = "the mean, and momentum of 0.9 in the sites' own optimiser (images)",
     .inside = 0.9F},
    {.name = "dropped",
     .what = "as nesterov, but what a code leaves is thrown away",
     .rate = 0.7F,
     .momentum = 0.9F,
     .keeps_rest = false},
}};

inline constexpr double kUncoded = 32;  // bits of a parameter

struct Course {
  Outer outer;
  double bits = kUncoded;  // for each parameter of a site's change
  std::size_t sites = 4;
  std::size_t rounds = 25;
  std::size_t steps = 10;  // of a site in a round
  std::uint64_t seed = 1;
};

struct Round {
  std::size_t number = 0;   // from 1
  std::uint64_t bytes = 0;  // sent so far by all sites, to each of the others
  double score = 0;
  double open_share = 0;      // what is open ÷ what this round changed; as lengths
  std::uint64_t defect = 0;   // Lane::defect() of all lanes
  bool has_diverged = false;  // a change could not be published; the last round
};

void run(Task& task, const Course& course, const std::function<void(const Round&)>& tell);

}  // namespace godwit::bench_training
