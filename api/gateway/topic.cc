#include "api/gateway/topic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <tuple>

#include "api/gateway/subscription.h"
#include "api/local/value_range.h"
#include "api/proto/state.pb.h"

namespace godwit::gateway {
namespace {

constexpr std::uint32_t kPublishersMax = 32;  // chosen: parameter servers or trainers of one site
// The rings of a topic's lanes to one peer hold two bandwidth-delay products of the link (DESIGN:
// window), in these bounds; each shard has its part of it.
constexpr std::uint64_t kRingBytesMin = 4U << 20U;
constexpr std::uint64_t kRingBytesMax = 64U << 20U;
constexpr std::uint64_t kShardRingBytesMin = 512U << 10U;

std::uint32_t ring_bytes(const Config& config, std::uint32_t shards) {
  std::uint64_t most = kRingBytesMin;
  for (const auto& link : config.links) {
    if (!link.cap.is_unlimited()) {
      most = std::max(most, 2 * link.cap.bytes_in(link.rtt).count());
    }
  }
  const std::uint64_t part = std::min(most, kRingBytesMax) / shards;
  return static_cast<std::uint32_t>(std::bit_ceil(std::max(part, kShardRingBytesMin)));
}

ledger::Shape make_shape(const TopicSpec& spec, const Config& config) {
  ledger::Shape shape;
  const auto others = static_cast<std::uint32_t>(config.sites.size() - 1);
  shape.topic = spec.id.topic;
  shape.shard = spec.id.shard;
  shape.site = SiteId::of(config.site);
  shape.element_count = spec.element_count();
  shape.lanes_out = others + Topic::kSubscribersMax;
  shape.lanes_in = others;
  shape.inboxes = kPublishersMax;
  shape.ring_bytes = ring_bytes(config, spec.sharding.shards);
  shape.seed = spec.has_seed;
  shape.site_count = static_cast<std::uint32_t>(config.sites.size());
  shape.tolerance = spec.tolerance_quanta();
  return shape;
}

// What of a stored description no gateway has written; nothing when all of it may be true. The
// shape is the ledger's to check.
std::optional<std::string_view> damage(const state::TopicState& stored) {
  const auto is_amount = [](double value) { return std::isfinite(value) && value >= 0; };
  const auto is_site = [](const std::string& name) {
    return !name.empty() && local::is_name(name);
  };
  if (stored.name().empty() || !local::is_name(stored.name()) || !local::is_name(stored.tenant())) {
    return "its name or its tenant";
  }
  if (stored.fraction_bits() > local::kFractionBitsMax) {
    return "fraction_bits";
  }
  const Sharding sharding{stored.element_count(), std::max(stored.shards(), 1U)};
  if (!sharding.is_valid() || stored.shard() >= sharding.shards) {
    return "the shards";
  }
  if (!is_amount(stored.tolerance()) || !is_amount(stored.significance())) {
    return "the tolerance or the significance";
  }
  if (stored.traffic_class() >= scheduler::kClassCount) {
    return "the class";
  }
  if (stored.deadline_ns() > static_cast<std::uint64_t>(local::kLongestDeadline.count_ns())) {
    return "the deadline";
  }
  const auto& sites = stored.allowed_sites();
  if (static_cast<std::size_t>(sites.size()) > local::kSitesMax ||
      !std::all_of(sites.begin(), sites.end(), is_site) ||
      !std::is_sorted(sites.begin(), sites.end())) {
    return "the allowed sites";
  }
  return static_cast<std::size_t>(stored.tickers_size()) > SiteClock::kRememberedMax
             ? std::optional<std::string_view>("who ticks")
             : std::nullopt;
}

// With a lane to every peer, one subscriber and one publisher at least.
std::uint64_t bound_of(const ledger::Shape& shape, ledger::Occupancy who) {
  who.site_lanes = std::max(who.site_lanes, shape.lanes_in);
  who.subscriber_lanes = std::max(who.subscriber_lanes, 1U);
  who.inboxes = std::max(who.inboxes, 1U);
  return ledger::storage_bound(shape, who) + ledger::work_bytes(shape) +
         (who.subscriber_lanes * Subscription::work_bytes(shape.tile_count()));
}

}  // namespace

Topic::Topic(Instant now, TopicSpec spec, const ledger::Shape& shape)
    : spec_(std::move(spec)),
      deadline_is_named_(spec_.deadline > Duration::zero()),
      significance_is_named_(spec_.significance > 0),
      declared_(spec_),
      shape_(shape),
      deadlines_(now, spec_.deadline, shape.tile_count()),
      is_withheld_(shape.tile_count(), false) {}

void Topic::note_withheld(std::uint32_t tile, bool is_withheld) {
  if (is_withheld_[tile] != is_withheld) {
    is_withheld_[tile] = is_withheld;
    withheld_count_ += is_withheld ? 1 : std::uint64_t{0} - 1;
  }
}

Result<std::unique_ptr<Topic>> Topic::open(Instant now,
                                           const TopicSpec& spec,
                                           const Config& config,
                                           Store& store,
                                           Incarnation life,
                                           ledger::Workspace& workspace) {
  const ledger::Shape shape = make_shape(spec, config);
  if (auto sound = ledger::check_shape(shape); !sound) {
    return Failure(sound.error());
  }
  std::unique_ptr<Topic> topic(new Topic(now, spec, shape));
  if (auto attached = topic->attach(store, life, workspace); !attached) {
    return Failure(attached.error());
  }
  // Last: what is written is opened at every start, so it must be what the sums agree to.
  if (auto described = store.describe(spec.id, topic->describe()); !described) {
    return Failure(described.error());
  }
  return topic;
}

Result<std::uint64_t> Topic::bound_when_made(const TopicSpec& spec, const Config& config) {
  const ledger::Shape shape = make_shape(spec, config);
  if (auto sound = ledger::check_shape(shape); !sound) {
    return Failure(sound.error());
  }
  return bound_of(shape, {});
}

Result<std::unique_ptr<Topic>> Topic::recover(Instant now,
                                              const std::string& description,
                                              Store& store,
                                              Incarnation life,
                                              ledger::Workspace& workspace) {
  state::TopicState stored;
  if (!stored.ParseFromString(description)) {
    return fail(Code::kCorrupt,
                "the description of a topic in the state directory is damaged; restore it, or "
                "remove it with its sums");
  }
  if (const auto wrong = damage(stored)) {
    return fail(
        Code::kCorrupt,
        "topic {:016x}: its stored description is damaged ({}); restore it, or remove it with "
        "its sums",
        TopicId::of(stored.name()).value(),
        *wrong);
  }
  TopicSpec spec;
  spec.name = stored.name();
  spec.id = {TopicId::of(spec.name), static_cast<std::uint16_t>(stored.shard())};
  spec.sharding = {stored.element_count(), std::max(stored.shards(), 1U)};
  spec.fraction_bits = stored.fraction_bits();
  spec.tolerance = stored.tolerance();
  spec.tenant = stored.tenant();
  spec.traffic_class = static_cast<scheduler::Class>(stored.traffic_class());
  spec.allowed_sites.assign(stored.allowed_sites().begin(), stored.allowed_sites().end());
  spec.sites_are_named = stored.sites_are_named();
  spec.deadline = Duration::ns(static_cast<std::int64_t>(stored.deadline_ns()));
  spec.significance = stored.significance();
  spec.significance_decays = stored.significance_decays();
  spec.has_seed = stored.has_seed();
  spec.seed_hash = stored.seed_hash();
  ledger::Shape shape;
  shape.topic = spec.id.topic;
  shape.shard = spec.id.shard;
  shape.element_count = spec.element_count();
  shape.lanes_out = stored.lanes_out();
  shape.lanes_in = stored.lanes_in();
  shape.inboxes = stored.inboxes();
  shape.ring_bytes = stored.ring_bytes();
  shape.seed = spec.has_seed;
  shape.site_count = stored.site_count();
  shape.tolerance = spec.tolerance_quanta();
  shape.site = SiteId(stored.site());
  if (auto sound = ledger::check_shape(shape); !sound) {
    return fail(Code::kCorrupt,
                "topic {}: its stored description is damaged: {}",
                spec.name,
                sound.error().message);
  }
  std::unique_ptr<Topic> topic(new Topic(now, std::move(spec), shape));
  topic->seed_complete_ = stored.seed_complete();
  std::vector<PublisherId> tickers;
  for (const std::uint64_t ticker : stored.tickers()) {
    tickers.emplace_back(ticker);
  }
  topic->site_clock.expect(tickers);
  if (auto attached = topic->attach(store, life, workspace); !attached) {
    return Failure(attached.error());
  }
  return topic;
}

Result<void> Topic::attach(Store& store, Incarnation life, ledger::Workspace& workspace) {
  const auto mapping = store.mapping(spec_.id, ledger::layout_bytes(shape_));
  if (!mapping) {
    return Failure(mapping.error());
  }
  const auto exists = ledger::Ledger::exists(**mapping);
  if (!exists) {
    return Failure(exists.error());
  }
  if (!*exists && seed_complete_) {
    // Written before there are sums: a process killed in between must not believe in the seed.
    seed_complete_ = false;
    if (auto written = store.describe(spec_.id, describe()); !written) {
      return written;
    }
  }
  auto attached = ledger::Ledger::attach(**mapping, shape_, life, workspace);
  if (!attached) {
    return fail(attached.error().code, "topic {}: {}", spec_.name, attached.error().message);
  }
  ledger_ = std::move(*attached);
  note_recovered();
  set_significance(spec_.significance, spec_.significance_decays);
  return {};
}

// What an earlier process took is due anew.
void Topic::note_recovered() {
  for (std::uint32_t tile = 0; tile < shape_.tile_count(); ++tile) {
    if (ledger_->touched(tile)) {
      deadlines_.on_recovered(tile);
    }
  }
  for (std::uint32_t i = 0; i < shape_.inboxes; ++i) {
    if (const auto inbox = ledger_->inbox(ledger::InboxIndex(i)); inbox.merging) {
      deadlines_.on_recovered(inbox.last_publish);
    }
  }
}

void Topic::set_significance(double threshold, bool decays) {
  spec_.significance = threshold;
  spec_.significance_decays = decays;
  threshold_ = threshold > 0 ? scheduler::SignificanceThreshold(
                                   decays ? scheduler::ThresholdRule::kInverseSqrt
                                          : scheduler::ThresholdRule::kConstant,
                                   threshold)
                             : scheduler::SignificanceThreshold();
  threshold_.on_clock(clock);
}

void Topic::apply_policy(const Config& config) {
  const PolicyConfig& policy = config.policy_for(spec_.name);
  if (policy.traffic_class) {
    spec_.traffic_class = class_of(*policy.traffic_class).value_or(spec_.traffic_class);
  }
  deadline_is_named_ = policy.deadline.has_value();
  if (policy.deadline) {
    spec_.deadline = *policy.deadline;
    deadlines_.restart(spec_.deadline);
    note_recovered();
  }
  significance_is_named_ = policy.significance.has_value();
  if (policy.significance) {
    set_significance(*policy.significance, policy.significance_decays);
  }
  const auto barred = [&](const std::string& site) { return !config.may_hold(spec_.name, site); };
  for (const SiteConfig& site : config.sites) {
    if (barred(site.name) && (spec_.may_hold(site.name) || barred_lane(site.name))) {
      barred_sites_.push_back(site.name);
    }
  }
  if (!spec_.sites_are_named) {
    spec_.allowed_sites = policy.allowed;
  } else {
    std::erase_if(spec_.allowed_sites, barred);
  }
}

std::optional<ledger::LaneIndex> Topic::barred_lane(std::string_view site) const {
  for (const auto index : ledger_->lanes()) {
    const ledger::LaneKey key = ledger_->lane(index).key;
    if (key.kind == ledger::LaneKind::kSite && key.to == SiteId::of(site).value()) {
      return index;
    }
  }
  return std::nullopt;
}

bool Topic::is_barred(ledger::LaneIndex lane) const {
  return std::any_of(barred_sites_.begin(), barred_sites_.end(), [&](const std::string& site) {
    return barred_lane(site) == lane;
  });
}

std::uint64_t Topic::covered_at(const PeerLanes& lanes) const {
  return lanes.outgoing ? ledger_->lane(*lanes.outgoing).coverage_receipted.value() : 0;
}

std::uint64_t Topic::memory_used() const {
  return ledger_->bytes_used() + ledger::work_bytes(shape_) +
         (subscribers.size() * Subscription::work_bytes(shape_.tile_count()));
}

std::uint64_t Topic::memory_bound() const {
  return bound_of(shape_, ledger_->occupancy());
}

std::uint64_t Topic::memory_bound_with_subscriber() const {
  ledger::Occupancy who = ledger_->occupancy();
  ++who.subscriber_lanes;
  return bound_of(shape_, who);
}

std::uint64_t Topic::memory_bound_with_publisher() const {
  ledger::Occupancy who = ledger_->occupancy();
  ++who.inboxes;
  return bound_of(shape_, who);
}

double Topic::quanta_per_unit() const {
  return std::ldexp(1.0, static_cast<int>(spec_.fraction_bits));
}

std::string Topic::describe() const {
  state::TopicState stored;
  stored.set_name(spec_.name);
  stored.set_element_count(spec_.sharding.element_count);
  stored.set_shards(spec_.sharding.shards);
  stored.set_shard(spec_.id.shard);
  stored.set_fraction_bits(spec_.fraction_bits);
  stored.set_tolerance(spec_.tolerance);
  stored.set_tenant(spec_.tenant);
  stored.set_traffic_class(static_cast<std::uint32_t>(declared_.traffic_class));
  for (const auto& site : declared_.allowed_sites) {
    stored.add_allowed_sites(site);
  }
  stored.set_sites_are_named(declared_.sites_are_named);
  stored.set_deadline_ns(static_cast<std::uint64_t>(declared_.deadline.count_ns()));
  stored.set_significance(declared_.significance);
  stored.set_significance_decays(declared_.significance_decays);
  stored.set_has_seed(spec_.has_seed);
  stored.set_seed_hash(spec_.seed_hash);
  stored.set_seed_complete(seed_complete_);
  stored.set_lanes_out(shape_.lanes_out);
  stored.set_lanes_in(shape_.lanes_in);
  stored.set_inboxes(shape_.inboxes);
  stored.set_ring_bytes(shape_.ring_bytes);
  stored.set_site_count(shape_.site_count);
  stored.set_site(shape_.site.value());
  for (const PublisherId ticker : site_clock.tickers()) {
    stored.add_tickers(ticker.value());
  }
  return stored.SerializeAsString();
}

Result<void> Topic::check_same(const TopicSpec& other, bool comes_back) const {
  const auto differs = [&](std::string_view what) {
    return fail(Code::kInvalid,
                "topic {}: {} differs from what was declared before; use the same value or another "
                "name",
                spec_.name,
                what);
  };
  if (other.name != spec_.name) {
    return fail(Code::kInvalid,
                "topic {}: its name has the same hash as {}; rename it",
                other.name,
                spec_.name);
  }
  if (other.sharding.element_count != spec_.sharding.element_count) {
    return differs("the element count");
  }
  if (other.sharding.shards != spec_.sharding.shards) {
    return differs("the number of shards");
  }
  if (other.fraction_bits != spec_.fraction_bits) {
    return differs("fraction_bits");
  }
  if (other.tolerance != spec_.tolerance) {
    return differs("the tolerance");
  }
  if (other.allowed_sites != spec_.allowed_sites) {
    return differs("the set of allowed sites");
  }
  if (!other.tenant.empty() && other.tenant != spec_.tenant) {
    return differs("the tenant");
  }
  if (other.has_seed && (other.seed_hash != spec_.seed_hash || !spec_.has_seed)) {
    return differs("the seed");
  }
  if (comes_back) {
    return {};
  }
  if (spec_.class_is_named && other.class_is_named && other.traffic_class != spec_.traffic_class) {
    return differs("the class");
  }
  if (deadline_is_named_ && other.deadline > Duration::zero() && other.deadline != spec_.deadline) {
    return differs("the deadline");
  }
  if (significance_is_named_ && other.significance > 0 &&
      (other.significance != spec_.significance ||
       other.significance_decays != spec_.significance_decays)) {
    return differs("the significance filter");
  }
  return {};
}

bool Topic::adopt(const TopicSpec& other) {
  const auto written = [this] {
    return std::tuple(declared_.traffic_class,
                      declared_.deadline,
                      declared_.significance,
                      declared_.significance_decays);
  };
  const auto before = written();
  if (other.class_is_named && !spec_.class_is_named) {
    spec_.class_is_named = true;
    spec_.traffic_class = declared_.traffic_class = other.traffic_class;
  }
  if (other.deadline > Duration::zero() && !deadline_is_named_) {
    deadline_is_named_ = true;
    spec_.deadline = declared_.deadline = other.deadline;
    deadlines_.set_deadline(other.deadline);
  }
  if (other.significance > 0 && !significance_is_named_) {
    significance_is_named_ = true;
    declared_.significance = other.significance;
    declared_.significance_decays = other.significance_decays;
    set_significance(other.significance, other.significance_decays);
  }
  return written() != before;
}

Result<void> Topic::write_seed(Store& store, std::uint64_t first, std::span<const float> values) {
  if (auto good = local::check_seed(first, values, spec_.fraction_bits); !good) {
    return fail(Code::kInvalid, "topic {}: {}", spec_.name, good.error().message);
  }
  if (seed_complete()) {
    return {};
  }
  if (first > seed_next_ || values.size() > spec_.element_count() - first) {
    return fail(Code::kInvalid, "topic {}: seed chunks must come in order and fit", spec_.name);
  }
  // Several clients may bring the same seed at once: what one has written the others skip.
  const std::uint64_t skipped = seed_next_ - first;
  if (skipped >= values.size()) {
    return {};
  }
  first = seed_next_;
  values = values.subspan(skipped);
  if (auto written = ledger_->write_seed(first, values); !written) {
    return written;
  }
  seed_next_ += values.size();
  if (seed_next_ == spec_.element_count()) {
    seed_complete_ = true;
    return store.describe(spec_.id, describe());
  }
  return {};
}

}  // namespace godwit::gateway
