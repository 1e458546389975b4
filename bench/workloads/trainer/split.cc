#include "bench/workloads/trainer/split.h"

#include "bench/workloads/trainer/dataset.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"

namespace godwit::trainer {
namespace {

// The sites where `label` is at home: at least one for any number of sites.
std::vector<std::size_t> homes(std::size_t label, std::size_t sites) {
  std::vector<std::size_t> out{label % sites};
  for (std::size_t site = kClasses; site < sites; ++site) {
    if (site % kClasses == label) {
      out.push_back(site);
    }
  }
  return out;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> split_by_label(std::span<const std::uint8_t> labels,
                                                       std::size_t sites,
                                                       double skew,
                                                       std::uint64_t seed) {
  GODWIT_ASSERT(sites >= 1 && sites <= kSitesMax);
  std::vector<std::vector<std::size_t>> homes_of;
  for (std::size_t label = 0; label < kClasses; ++label) {
    homes_of.push_back(homes(label, sites));
  }
  Random random(seed);
  std::vector<std::vector<std::uint32_t>> split(sites);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& home = homes_of.at(labels[i]);
    // Both numbers are always drawn, so that a different skew moves as few samples as possible.
    const bool stays = random.chance(skew);
    const std::uint64_t drawn = random.next();
    const std::size_t site = stays ? home[drawn % home.size()] : drawn % sites;
    split[site].push_back(static_cast<std::uint32_t>(i));
  }
  return split;
}

}  // namespace godwit::trainer
