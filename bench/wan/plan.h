// What a WAN is made of, before it runs: its sites, and the settings of every line.
//
// A plan comes from a preset (presets.h) and is put into a Network (network.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/wan/link.h"
#include "bench/wan/serialiser.h"

namespace godwit::wan {

// Site i has the address 10.77.i.1 and its namespace at descriptor 100 + i; 64 sites are 4,032
// links. Chosen: several times the greatest published deployment of the kind.
inline constexpr std::size_t kSitesMax = 64;

// A number of a site, in the order of Plan::sites.
enum class SiteIndex : std::uint32_t {
};

constexpr std::size_t index(SiteIndex site) {
  return static_cast<std::size_t>(site);
}

struct Plan {
  std::string preset;
  bool unlimited = false;
  std::vector<std::string> sites;
  // Row `from`, column `to`; the diagonal is not used.
  std::vector<LinkSettings> links;
  // By site; nothing where pairs do not share a line.
  std::vector<std::optional<Line>> uplinks;
  std::vector<std::optional<Line>> downlinks;

  LinkSettings& link(std::size_t from, std::size_t to) { return links[from * sites.size() + to]; }
  const LinkSettings& link(std::size_t from, std::size_t to) const {
    return links[from * sites.size() + to];
  }
};

}  // namespace godwit::wan
