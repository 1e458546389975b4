// Which samples a site owns: every label has home sites, and most of its samples stay there.
//
// label l is at home at site l mod N (with more sites than labels, site s is home to s mod 10).
// A sample goes to a home of its label with probability `skew`, else to any site alike. skew 0 is
// an even split; skew 1 gives sites that have never seen the others' labels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace godwit::trainer {

inline constexpr std::size_t kSitesMax = 11;  // the largest WAN that is described

// The indices of the samples of each site, ascending; every sample is at exactly one site. The same
// arguments always give the same split. 1 <= sites <= kSitesMax.
std::vector<std::vector<std::uint32_t>> split_by_label(std::span<const std::uint8_t> labels,
                                                       std::size_t sites,
                                                       double skew,
                                                       std::uint64_t seed);

}  // namespace godwit::trainer
