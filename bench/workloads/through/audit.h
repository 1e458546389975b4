// What an audit finds: do all sites hold the same integers, and are they what was published?
//
// Pure; nothing here knows a gateway.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace godwit::through {

struct Audit {
  bool identical = true;  // every site holds the same integer in every element
  std::int64_t conservation_defect =
      0;  // sum of |held − published| over sites and elements, capped
  std::uint64_t elements_wrong = 0;
};

// `held[s]` is the sum that site s hands to a subscriber who starts at zero; `published[p]` is the
// log of publisher p. All have the same length, and there is at least one of each.
Audit audit(std::span<const std::vector<std::int64_t>> held,
            std::span<const std::vector<std::int64_t>> published);

}  // namespace godwit::through
