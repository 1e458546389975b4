// What a declaration and the policies of the configuration make of a topic's shard together.

#include <algorithm>
#include <cmath>
#include <optional>

#include "api/gateway/topic.h"

namespace godwit::gateway {

std::optional<scheduler::Class> class_of(std::string_view name) {
  if (name == "urgent") {
    return scheduler::Class::kUrgent;
  }
  if (name == "normal") {
    return scheduler::Class::kNormal;
  }
  return name == "bulk" ? std::optional(scheduler::Class::kBulk) : std::nullopt;
}

bool TopicSpec::may_hold(std::string_view site) const {
  return allowed_sites.empty() ||
         std::find(allowed_sites.begin(), allowed_sites.end(), site) != allowed_sites.end();
}

std::uint64_t TopicSpec::tolerance_quanta() const {
  const double quanta = std::floor(std::ldexp(tolerance, static_cast<int>(fraction_bits)));
  return quanta >= 0x1p62 ? std::uint64_t{1} << 62U : static_cast<std::uint64_t>(quanta);
}

Result<TopicSpec> make_spec(const local::Declare& declare, const Config& config) {
  if (auto good = local::check_topic_name(declare.topic); !good) {
    return Failure(good.error());
  }
  const PolicyConfig& policy = config.policy_for(declare.topic);
  TopicSpec spec;
  spec.name = declare.topic;
  spec.id = {TopicId::of(declare.topic), static_cast<std::uint16_t>(declare.shard)};
  spec.sharding = {declare.element_count, std::max(declare.shards, 1U)};
  spec.fraction_bits = declare.fraction_bits;
  spec.tolerance = policy.tolerance.value_or(declare.tolerance);
  spec.tenant = declare.tenant;
  const std::string& class_name =
      declare.service_class.empty() ? policy.class_or_default() : declare.service_class;
  const auto traffic_class = class_of(class_name);
  if (!traffic_class) {
    return fail(Code::kInvalid,
                "topic {}: the class \"{}\" is none of urgent, normal, bulk",
                spec.name,
                class_name);
  }
  spec.traffic_class = *traffic_class;
  spec.class_is_named = !declare.service_class.empty();
  spec.deadline = policy.deadline.value_or(declare.deadline);
  spec.significance = policy.significance.value_or(declare.significance.kind ==
                                                           local::SignificanceFilter::Kind::kNone
                                                       ? 0.0
                                                       : declare.significance.threshold);
  spec.significance_decays =
      policy.significance ? policy.significance_decays : declare.significance.decays_with_clock;
  spec.has_seed = declare.has_seed;
  spec.seed_hash = declare.has_seed ? declare.seed_hash : 0;
  if (!spec.sharding.is_valid() || spec.id.shard >= spec.sharding.shards) {
    return fail(Code::kInvalid,
                "topic {}: {} elements cannot be divided into {} shards: a power of two up to {}, "
                "and a tile of {} elements for each",
                spec.name,
                spec.sharding.element_count,
                spec.sharding.shards,
                kShardsMax,
                kShardTileElements);
  }
  if (!std::isfinite(spec.tolerance) || spec.tolerance < 0 || !std::isfinite(spec.significance) ||
      spec.significance < 0) {
    return fail(Code::kInvalid,
                "topic {}: tolerance and significance must be finite and not negative",
                spec.name);
  }
  spec.sites_are_named = !declare.allowed_sites.empty();
  spec.allowed_sites = declare.allowed_sites.empty() ? policy.allowed : declare.allowed_sites;
  std::sort(spec.allowed_sites.begin(), spec.allowed_sites.end());
  spec.allowed_sites.erase(std::unique(spec.allowed_sites.begin(), spec.allowed_sites.end()),
                           spec.allowed_sites.end());
  for (const auto& site : spec.allowed_sites) {
    if (config.find_site(site) == nullptr) {
      return fail(
          Code::kInvalid, "topic {}: \"{}\" is no site of {}", spec.name, site, config.file);
    }
    if (!config.may_hold(spec.name, site)) {
      return fail(Code::kRefused,
                  "topic {}: the policy \"{}\" does not allow site \"{}\"",
                  spec.name,
                  policy.match,
                  site);
    }
  }
  if (!spec.may_hold(config.site)) {
    return fail(Code::kRefused,
                "topic {}: this site, \"{}\", is not among the allowed sites",
                spec.name,
                config.site);
  }
  return spec;
}

}  // namespace godwit::gateway
