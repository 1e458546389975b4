#include "api/client/declaration.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "api/local/names.h"
#include "api/local/records.h"
#include "api/local/value_range.h"
#include "dataplane/base/checksum.h"

namespace godwit::client {
namespace {

std::uint64_t hash_of_seed(std::span<const float> seed) {
  const auto bytes = std::as_bytes(seed);
  return bytes.empty() ? 0 : (std::uint64_t{crc32c(bytes)} << 32U) | (bytes.size() & 0xffffffffU);
}

}  // namespace

Result<Declaration> check_declaration(const TopicOptions& options) {
  if (auto good = local::check_topic_name(options.name); !good) {
    return Failure(good.error());
  }
  if (!local::is_name(options.tenant) || !local::is_name(options.service_class)) {
    return fail(Code::kInvalid,
                "topic {}: names of tenants and classes are at most 255 printable ASCII bytes",
                options.name);
  }
  if (options.element_count < 1 || options.element_count > local::kElementsMax) {
    return fail(Code::kInvalid, "topic {}: element_count must be in [1, 2^40]", options.name);
  }
  const Sharding sharding{.element_count = options.element_count,
                          .shards = std::max(1U, options.shards)};
  if (!sharding.is_valid()) {
    return fail(Code::kInvalid,
                "topic {}: shards is {}; it must be a power of two up to {} and to the number of "
                "tiles of {} elements, {}",
                options.name,
                options.shards,
                kShardsMax,
                kShardTileElements,
                sharding.tiles());
  }
  // Written so that NaN is refused, too.
  if (options.fraction_bits > local::kFractionBitsMax ||
      !(options.tolerance >= 0.0 && options.tolerance <= local::kToleranceMax) ||
      !(options.significance.threshold >= 0.0 &&
        options.significance.threshold <= local::kThresholdMax)) {
    return fail(
        Code::kInvalid,
        "topic {}: fraction_bits is {}, tolerance {}, threshold {}; they must be in [0, 62], "
        "[0, 10^6] and [0, 1000]",
        options.name,
        options.fraction_bits,
        options.tolerance,
        options.significance.threshold);
  }
  if (!options.seed.empty() && options.seed.size() != options.element_count) {
    return fail(Code::kInvalid, "topic {}: the seed must have element_count values", options.name);
  }
  if (auto good = local::check_seed(0, options.seed, options.fraction_bits); !good) {
    return fail(Code::kInvalid, "topic {}: {}", options.name, good.error().message);
  }
  if (options.update_deadline < Duration::zero() ||
      options.update_deadline > local::kLongestDeadline) {
    return fail(Code::kInvalid,
                "topic {}: update_deadline is {} s; it must be 0 (none) or up to {} s",
                options.name,
                options.update_deadline.to_seconds(),
                local::kLongestDeadline.to_seconds());
  }
  if (options.allowed_sites.size() > local::kSitesMax ||
      !std::all_of(options.allowed_sites.begin(),
                   options.allowed_sites.end(),
                   [](const auto& site) { return !site.empty() && local::is_name(site); })) {
    return fail(Code::kInvalid, "topic {}: allowed_sites are at most 64 site names", options.name);
  }
  return Declaration{options, sharding, hash_of_seed(options.seed)};
}

Result<void> check_same(const Declaration& before, const Declaration& again) {
  const TopicOptions& old = before.options;
  const TopicOptions& given = again.options;
  const auto set_of = [](const std::vector<std::string>& sites) {
    return std::set<std::string>(sites.begin(), sites.end());
  };
  std::string_view what;
  if (given.element_count != old.element_count) {
    what = "element_count";
  } else if (again.sharding.shards != before.sharding.shards) {
    what = "shards";
  } else if (given.fraction_bits != old.fraction_bits) {
    what = "fraction_bits";
  } else if (given.tolerance != old.tolerance) {
    what = "tolerance";
  } else if (set_of(given.allowed_sites) != set_of(old.allowed_sites)) {
    what = "allowed_sites";
  } else if (!given.tenant.empty() && given.tenant != old.tenant) {
    what = "tenant";
  } else if (!given.service_class.empty() && given.service_class != old.service_class) {
    what = "service_class";
  } else if (given.update_deadline > Duration::zero() &&
             given.update_deadline != old.update_deadline) {
    what = "update_deadline";
  } else if (given.significance.threshold > 0.0 && given.significance != old.significance) {
    what = "significance";
  } else if (again.seed_hash != 0 && again.seed_hash != before.seed_hash) {
    what = "the seed";
  }
  if (!what.empty()) {
    return fail(Code::kInvalid,
                "topic {}: {} differs from what this client declared before; use the same value or "
                "another name",
                given.name,
                what);
  }
  return {};
}

}  // namespace godwit::client
