#include "tests/sim/checkers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "dataplane/base/sharding.h"
#include "dataplane/ledger/field_checksum.h"
#include "tests/sim/simulator.h"
#include "tests/sim/sums.h"

namespace godwit::sim {
namespace {

Sharding sharding_of(const TopicDraw& topic) {
  return {.element_count = topic.element_count, .shards = topic.shards};
}

gateway::Topic* shard_at(Simulator& simulator,
                         std::size_t site,
                         const TopicDraw& topic,
                         std::uint32_t shard) {
  SiteActor& actor = *simulator.sites()[site];
  const TopicShard id{TopicId::of(topic.name), static_cast<std::uint16_t>(shard)};
  return actor.alive() ? actor.gateway().core().find_topic(id) : nullptr;
}

// P + R of a shard at a site.
Sums read_sums(gateway::Topic& topic) {
  const std::uint64_t elements = topic.ledger().shape().element_count;
  const std::uint32_t tiles = topic.ledger().shape().tile_count();
  thread_local std::array<std::int64_t, ledger::kTileElements> values;  // of one tile
  Sums sums;
  sums.reserve(elements);
  for (std::uint32_t tile = 0; tile < tiles; ++tile) {
    topic.ledger().read_sum(tile, values);
    const auto count = std::min<std::uint64_t>(values.size(), elements - sums.size());
    sums.insert(sums.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return sums;
}

// The same of all shards of a topic, in its own elements.
Sums whole_sums(Simulator& simulator, std::size_t site, const TopicDraw& topic) {
  if (topic.shards == 1) {
    return read_sums(*shard_at(simulator, site, topic, 0));
  }
  const Sharding sharding = sharding_of(topic);
  Sums whole(topic.element_count);
  for (std::uint32_t shard = 0; shard < topic.shards; ++shard) {
    const Sums sums = read_sums(*shard_at(simulator, site, topic, shard));
    for (std::uint64_t i = 0; i < sums.size(); ++i) {
      whole[sharding.to_global(shard, i)] = sums[i];
    }
  }
  return whole;
}

// What the subscriber holds, and with it what it published itself and therefore did not receive.
std::optional<Sums> subscriber_sums(const ClientActor& client) {
  Sums sums(client.topic().element_count);
  if (!client.copy_sum(sums)) {
    return std::nullopt;
  }
  for (const Published& published : client.log()) {
    if (published.own && published.life == client.life() && published.fate != Fate::kDead) {
      add(sums, published);
    }
  }
  return sums;
}

// Of a shard alone: each has its own books, and a client may die between them.
std::vector<Group> unknown_groups(Simulator& simulator, std::size_t topic, std::uint32_t shard) {
  const Sharding sharding = sharding_of(simulator.scenario().topics[topic]);
  std::vector<Group> groups;
  for (const auto& client : simulator.clients()) {
    if (client->draw().topic != topic) {
      continue;
    }
    const Published* before = nullptr;
    for (const Published& published : client->log()) {
      if (published.fate != Fate::kUnknown) {
        continue;
      }
      if (before == nullptr || before->life != published.life || before->in_doubt ||
          published.in_doubt) {
        groups.emplace_back();
      }
      groups.back().push_back(
          {.first = sharding.elements_below(shard, published.first),
           .values = part_of(sharding, shard, published.first, published.values)});
      before = &published;
    }
  }
  return groups;
}

// The sums that all safe publishes make.
Sums safe_sums(Simulator& simulator, std::size_t topic) {
  Sums sums(simulator.scenario().topics[topic].element_count);
  for (const auto& client : simulator.clients()) {
    if (client->draw().topic == topic) {
      for (const Published& published : client->log()) {
        if (published.fate == Fate::kSafe) {
          add(sums, published);
        }
      }
    }
  }
  return sums;
}

// What an undrained lane of the site waits for.
std::string undrained(Simulator& simulator, std::size_t site) {
  for (auto& [id, topic] : simulator.sites()[site]->gateway().core().topics) {
    for (const auto& [peer, lanes] : topic->peers()) {
      if (!lanes.outgoing || topic->ledger().drained(*lanes.outgoing)) {
        continue;
      }
      const auto lane = topic->ledger().lane(*lanes.outgoing);
      double open = 0;
      for (std::uint32_t tile = 0; tile < topic->ledger().shape().tile_count(); ++tile) {
        if (topic->ledger().touched(tile)) {
          open += topic->ledger().measure_open(*lanes.outgoing, tile).energy;
        }
      }
      return fmt::format(
          "lane of {} to site {:08x}: frontier {} of {}, {} unreceipted, open energy {}, {}, "
          "resends up "
          "to {} of {}",
          topic->spec().name,
          peer.value(),
          lane.frontier,
          lane.next_k - 1,
          lane.unreceipted,
          open,
          topic->ledger().window_full(*lanes.outgoing) ? "window full" : "window free",
          lanes.resend_after,
          lanes.resend_until);
    }
  }
  return "";
}

// Every publish that touches an element, for a person who has to find what went wrong.
std::string history(Simulator& simulator, std::size_t topic, std::size_t element) {
  std::string text;
  for (std::size_t i = 0; i < simulator.clients().size(); ++i) {
    const ClientActor& client = *simulator.clients()[i];
    for (const Published& published : client.log()) {
      const std::size_t at = element - published.first;
      if (client.draw().topic == topic && element >= published.first &&
          at < published.values.size() && published.values[at] != 0) {
        text += fmt::format(" {} by client {} for clock {} ({})",
                            published.values[at],
                            i,
                            published.clock,
                            published.fate == Fate::kSafe ? "safe" : "not known to be safe");
      }
    }
  }
  return text;
}

bool lanes_are_open(Simulator& simulator,
                    const TopicDraw& topic,
                    std::size_t site,
                    std::uint32_t shard) {
  gateway::Topic* held = shard_at(simulator, site, topic, shard);
  if (held == nullptr) {
    return false;
  }
  for (std::size_t other = 0; other < simulator.sites().size(); ++other) {
    if (other == site || !simulator.scenario().may_hold(topic, other)) {
      continue;
    }
    const auto at = held->peers().find(SiteId::of(simulator.scenario().sites[other]));
    if (at == held->peers().end() || !at->second.open || !at->second.incoming) {
      return false;
    }
  }
  return true;
}

void check_shard_end(Simulator& simulator, std::size_t index, std::uint32_t shard) {
  const Scenario& scenario = simulator.scenario();
  const TopicDraw& topic = scenario.topics[index];
  const Sums safe = part_of(sharding_of(topic), shard, 0, safe_sums(simulator, index));
  const auto groups = unknown_groups(simulator, index, shard);
  // With a lost state only that site is without the mass that nobody else can give back.
  std::size_t reference = 0;
  while (!scenario.may_hold(topic, reference)) {
    ++reference;
  }
  for (const Fault& fault : scenario.faults) {
    if (fault.kind == FaultKind::kLose && scenario.may_hold(topic, fault.a)) {
      reference = fault.a;
    }
  }
  const Sums truth = read_sums(*shard_at(simulator, reference, topic, shard));
  Sums rest = truth;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    rest[i] -= safe[i];
  }
  if (!explain(rest, groups)) {
    simulator.violation(
        fmt::format("conservation: shard {} of {} at {} is not what was published ({} lives "
                    "ended in doubt): {}",
                    shard,
                    topic.name,
                    scenario.sites[reference],
                    groups.size(),
                    first_difference(safe, truth)));
    return;
  }
  for (std::size_t site = 0; site < scenario.site_count(); ++site) {
    if (!scenario.may_hold(topic, site)) {
      continue;
    }
    gateway::Topic& held = *shard_at(simulator, site, topic, shard);
    Sums sums = read_sums(held);
    simulator.trace().note(simulator.now(), Happening::kSum, fingerprint(sums));
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] -= truth[i];
    }
    const std::uint64_t more =
        ledger::FieldChecksum(TopicId::of(topic.name), static_cast<std::uint16_t>(shard))
            .of_range(0, sums);
    if (more != held.ledger().conservation().detached_checksum) {
      simulator.violation(fmt::format("{} holds of {} what nobody published and nobody lost: {}",
                                      scenario.sites[site],
                                      topic.name,
                                      first_difference(truth, read_sums(held))));
    }
  }
}

// What may occupy a topic at a site, counted from outside: lanes to the other sites, and of every
// client there its place. That of a life before may be kept, too: until its connection is drained,
// and for a while by a gateway that has restarted, of one life with each restart.
ledger::Occupancy occupancy_at_most(Simulator& simulator,
                                    std::size_t site,
                                    TopicId topic,
                                    bool settled) {
  const Scenario& scenario = simulator.scenario();
  const std::uint32_t kept_most = std::max(simulator.sites()[site]->restarts(), settled ? 0U : 1U);
  ledger::Occupancy most;
  most.site_lanes = static_cast<std::uint32_t>(scenario.site_count() - 1);
  most.lane_slots = most.site_lanes;
  for (const auto& client : simulator.clients()) {
    if (client->draw().site == site && TopicId::of(client->topic().name) == topic) {
      const std::uint32_t each = 1 + std::min(std::max(client->life(), 1U) - 1, kept_most);
      most.subscriber_lanes += client->draw().subscribes ? each : 0U;
      most.lane_slots += client->draw().subscribes ? std::max(2U, each) : 0U;  // tables stay
      most.inboxes += client->draw().publishes ? each : 0U;
    }
  }
  return most;
}

}  // namespace

void check_ledgers(Simulator& simulator, std::size_t site, bool settled) {
  const Scenario& scenario = simulator.scenario();
  for (auto& [id, topic] : simulator.sites()[site]->gateway().core().topics) {
    ledger::Ledger& ledger = topic->ledger();
    if (ledger.conservation().defects != 0) {
      simulator.violation(fmt::format(
          "{}: the ledger of {} found a defect", scenario.sites[site], topic->spec().name));
    }
    const std::uint64_t bound =
        storage_bound(ledger.shape(), occupancy_at_most(simulator, site, id.topic, settled));
    if (ledger.bytes_used() > bound || ledger.bytes_bound() > bound) {
      simulator.violation(
          fmt::format("{}: {} takes {} bytes of {}, more than the {} that its sites "
                      "and clients account for",
                      scenario.sites[site],
                      topic->spec().name,
                      ledger.bytes_used(),
                      ledger.bytes_bound(),
                      bound));
    }
    for (const auto lane : ledger.lanes()) {
      if (ledger.lane(lane).quarantined) {
        simulator.violation(fmt::format(
            "{}: a lane of {} is quarantined", scenario.sites[site], topic->spec().name));
      }
    }
    for (const TopicDraw& draw : scenario.topics) {
      if (TopicId::of(draw.name) == id.topic && !scenario.may_hold(draw, site)) {
        simulator.violation(fmt::format("residency: {} holds {}", scenario.sites[site], draw.name));
      }
    }
  }
}

void check_clock(Simulator& simulator, std::size_t index, std::uint64_t clock) {
  const ClientActor& client = *simulator.clients()[index];
  const Scenario& scenario = simulator.scenario();
  const auto held = subscriber_sums(client);
  // A site that is kept out by a policy is waited for by nobody.
  if (!held || scenario.has(FaultKind::kLose) || scenario.has(FaultKind::kNarrow)) {
    return;
  }
  Sums least(client.topic().element_count);
  // Of later changes parts may have come out of order: a correction downwards before what it
  // corrects. It is smaller than the change itself.
  Sums later(client.topic().element_count);
  for (const auto& other : simulator.clients()) {
    if (other->draw().topic != client.draw().topic) {
      continue;
    }
    for (const Published& published : other->log()) {
      const bool counts =
          published.fate == Fate::kSafe && published.clock > 0 && published.clock <= clock;
      add(counts ? least : later, published);
    }
  }
  const auto slack =
      static_cast<std::int64_t>(2 * client.topic().tolerance_quanta * (scenario.site_count() - 1));
  for (std::size_t i = 0; i < least.size(); ++i) {
    if ((*held)[i] + slack + later[i] < least[i]) {
      simulator.violation(fmt::format(
          "clock {} was reached for client {} without its data: element {} is {}, {} was "
          "published:{}",
          clock,
          index,
          i,
          (*held)[i],
          least[i],
          history(simulator, client.draw().topic, i)));
      return;
    }
  }
}

std::string why_unfinished(Simulator& simulator) {
  const Scenario& scenario = simulator.scenario();
  for (std::size_t i = 0; i < simulator.sites().size(); ++i) {
    if (!simulator.sites()[i]->alive()) {
      return fmt::format("{} is dead", scenario.sites[i]);
    }
  }
  for (std::size_t i = 0; i < simulator.clients().size(); ++i) {
    if (!simulator.clients()[i]->settled()) {
      return fmt::format("client {} has something on the way", i);
    }
  }
  for (std::size_t t = 0; t < scenario.topics.size(); ++t) {
    const TopicDraw& topic = scenario.topics[t];
    for (std::size_t i = 0; i < scenario.site_count(); ++i) {
      for (std::uint32_t shard = 0; scenario.may_hold(topic, i) && shard < topic.shards; ++shard) {
        if (!lanes_are_open(simulator, topic, i, shard)) {
          return fmt::format("the lanes of shard {} of {} at {} are not open",
                             shard,
                             topic.name,
                             scenario.sites[i]);
        }
      }
    }
  }
  for (std::size_t i = 0; i < simulator.sites().size(); ++i) {
    if (!simulator.sites()[i]->gateway().drained()) {
      return fmt::format("{} is not drained: {}", scenario.sites[i], undrained(simulator, i));
    }
  }
  return {};
}

std::string why_unsettled(Simulator& simulator) {
  if (std::string why = why_unfinished(simulator); !why.empty()) {
    return why;
  }
  const Scenario& scenario = simulator.scenario();
  for (std::size_t t = 0; t < scenario.topics.size(); ++t) {
    const TopicDraw& topic = scenario.topics[t];
    std::optional<Sums> same;
    for (std::size_t i = 0; i < scenario.site_count(); ++i) {
      if (!scenario.may_hold(topic, i)) {
        continue;
      }
      Sums sums = whole_sums(simulator, i, topic);
      if (same && *same != sums && !scenario.has(FaultKind::kLose)) {
        return fmt::format(
            "{} at {}: {}", topic.name, scenario.sites[i], first_difference(*same, sums));
      }
      for (std::size_t c = 0; c < simulator.clients().size(); ++c) {
        const ClientActor& client = *simulator.clients()[c];
        if (client.draw().site != i || client.draw().topic != t) {
          continue;
        }
        const auto held = subscriber_sums(client);
        if (held && *held != sums) {
          return fmt::format(
              "subscriber {} of {}: {}", c, topic.name, first_difference(sums, *held));
        }
      }
      same = std::move(sums);
    }
  }
  return {};
}

void check_end(Simulator& simulator) {
  if (const std::string why = why_unsettled(simulator); !why.empty()) {
    simulator.violation("equal sums did not stay equal: " + why);
    return;
  }
  for (std::size_t site = 0; site < simulator.sites().size(); ++site) {
    gateway::Gateway& gateway = simulator.sites()[site]->gateway();
    for (auto& [id, topic] : gateway.core().topics) {
      topic->ledger().audit(static_cast<std::uint32_t>(topic->ledger().shape().block_count()) * 2);
    }
    check_ledgers(simulator, site, true);
  }
  for (std::size_t topic = 0; topic < simulator.scenario().topics.size(); ++topic) {
    for (std::uint32_t shard = 0; shard < simulator.scenario().topics[topic].shards; ++shard) {
      check_shard_end(simulator, topic, shard);
    }
  }
}

}  // namespace godwit::sim
