#include "api/gateway/policy_order.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/gateway/topic_pattern.h"

namespace godwit::gateway {
namespace {

bool allows(const PolicyConfig& policy, const std::string& site) {
  return policy.allowed.empty() ||
         std::find(policy.allowed.begin(), policy.allowed.end(), site) != policy.allowed.end();
}

// The first site that `loose` allows and `strict` does not.
const SiteConfig* let_out(const PolicyConfig& loose,
                          const PolicyConfig& strict,
                          std::span<const SiteConfig> sites) {
  const auto at = std::find_if(sites.begin(), sites.end(), [&](const SiteConfig& site) {
    return allows(loose, site.name) && !allows(strict, site.name);
  });
  return at == sites.end() ? nullptr : &*at;
}

}  // namespace

std::optional<std::string> order_problem(std::span<const PolicyConfig> before,
                                         const PolicyConfig& policy,
                                         std::span<const SiteConfig> sites,
                                         std::size_t& steps) {
  const std::vector<TopicPattern> own = {TopicPattern(policy.match)};
  std::vector<TopicPattern> earlier;
  for (const PolicyConfig& one : before) {
    earlier.emplace_back(one.match);
  }
  const auto left = find_topic(own, earlier, steps);
  if (!left) {
    return left.error().message + "; use fewer policies, or fewer `**` in them";
  }
  if (!*left) {
    return fmt::format(
        "\"{}\" never holds: policies before it match all of its topics, and the first that "
        "matches holds; put it before them, or remove it",
        policy.match);
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    const SiteConfig* site = let_out(before[i], policy, sites);
    if (site == nullptr) {
      continue;
    }
    const std::vector<TopicPattern> one = {earlier[i]};
    const auto beyond = find_topic(one, own, steps);
    if (beyond && !*beyond) {
      continue;  // narrower, and first: an exception
    }
    const std::vector<TopicPattern> both = {own.front(), earlier[i]};
    const auto common = find_topic(both, std::span(earlier).first(i), steps);
    if (!beyond || !common) {
      return (!common ? common : beyond).error().message +
             "; use fewer policies, or fewer `**` in them";
    }
    if (*common) {
      return fmt::format(
          "\"{}\" allows only {}, but topic \"{}\" would be ruled by \"{}\" before it, which "
          "allows {}, too; put the policy with fewer sites first, or one for what both match "
          "before both",
          policy.match,
          fmt::join(policy.allowed, ", "),
          **common,
          before[i].match,
          site->name);
    }
  }
  return std::nullopt;
}

}  // namespace godwit::gateway
