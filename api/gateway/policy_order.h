// Whether a policy can hold where it stands: the first policy that matches a topic holds, alone.
//
//   "**"                     never holds for what it matches: the policies before match all of it
//   "hospital/**" [fra]  ◀── a policy in vain, and a residency rule that is switched off unseen
//
// A narrower policy before a wider one is an exception that somebody meant. One that merely has
// some topics in common with a later one must not let them go where the later one forbids.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "api/gateway/config.h"

namespace godwit::gateway {

// All comparisons of one file together. Chosen: a thousand plain policies, a second.
inline constexpr std::size_t kPatternSteps = 4'000'000;

// What is wrong with `policy` behind those of `before`, and what to do; nothing when all is well.
// Every pattern must be valid. `steps` is counted down; where it ends the answer is a problem, too,
// because then nobody knows.
std::optional<std::string> order_problem(std::span<const PolicyConfig> before,
                                         const PolicyConfig& policy,
                                         std::span<const SiteConfig> sites,
                                         std::size_t& steps);

}  // namespace godwit::gateway
