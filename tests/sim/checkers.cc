#include "tests/sim/checkers.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "dataplane/ledger/field_checksum.h"
#include "tests/sim/simulator.h"

namespace godwit::sim {
namespace {

using Sums = std::vector<std::int64_t>;

gateway::Topic* topic_at(Simulator& simulator, std::size_t site, const TopicDraw& topic) {
  SiteActor& actor = *simulator.sites()[site];
  return actor.alive() ? actor.gateway().core().find_topic(TopicId::of(topic.name)) : nullptr;
}

// P + R of a topic at a site.
Sums read_sums(gateway::Topic& topic) {
  const std::uint64_t elements = topic.spec().element_count();
  const std::uint32_t tiles = topic.ledger().shape().tile_count();
  Sums sums(std::size_t{tiles} * ledger::kTileElements);
  for (std::uint32_t tile = 0; tile < tiles; ++tile) {
    topic.ledger().read_sum(
        tile,
        std::span(sums).subspan(std::size_t{tile} * ledger::kTileElements, ledger::kTileElements));
  }
  sums.resize(elements);
  return sums;
}

void add(Sums& sums, const Published& published, std::int64_t sign = 1) {
  for (std::size_t i = 0; i < published.values.size(); ++i) {
    sums[published.first + i] += sign * published.values[i];
  }
}

bool is_zero(const Sums& sums) {
  return std::all_of(sums.begin(), sums.end(), [](std::int64_t value) { return value == 0; });
}

// What the subscriber holds, and with it what it published itself and therefore did not receive.
std::optional<Sums> subscriber_sums(const ClientActor& client) {
  const client::BlockSums* held = client.sum();
  if (held == nullptr) {
    return std::nullopt;
  }
  Sums sums(client.topic().element_count);
  held->copy(0, sums);
  for (const Published& published : client.log()) {
    if (published.own && published.life == client.life() && published.fate == Fate::kSafe) {
      add(sums, published);
    }
  }
  return sums;
}

std::string first_difference(const Sums& expected, const Sums& found) {
  std::size_t count = 0;
  std::size_t first = expected.size();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] != found[i]) {
      first = count++ == 0 ? i : first;
    }
  }
  return count == 0 ? "none"
                    : fmt::format("{} elements differ, the first is {}: {} instead of {}",
                                  count,
                                  first,
                                  found[first],
                                  expected[first]);
}

// One life of one client that died without knowing what became of its last publishes: some number
// of them, from the oldest on, are in.
using Group = std::vector<const Published*>;

std::vector<Group> unknown_groups(Simulator& simulator, std::size_t topic) {
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
      if (before == nullptr || before->life != published.life) {
        groups.emplace_back();
      }
      groups.back().push_back(&published);
      before = &published;
    }
  }
  return groups;
}

// A linear fingerprint: equal sums have equal ones, and it adds up as sums do (modulo 2^64).
std::uint64_t weight(std::uint64_t element) {
  std::uint64_t z = (element + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 29U)) * 0xbf58476d1ce4e5b9U;
  return z ^ (z >> 32U);
}
std::uint64_t fingerprint(const Sums& sums) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sum += weight(i) * static_cast<std::uint64_t>(sums[i]);
  }
  return sum;
}
std::uint64_t fingerprint(const Published& published) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < published.values.size(); ++i) {
    sum += weight(published.first + i) * static_cast<std::uint64_t>(published.values[i]);
  }
  return sum;
}

// Finds the prefix of each group with which `rest` becomes zero, and subtracts them.
bool explain(Sums& rest, const std::vector<Group>& groups) {
  if (is_zero(rest)) {
    return true;
  }
  std::uint64_t missing = fingerprint(rest);
  std::vector<std::size_t> taken(groups.size(), 0);
  for (;;) {
    std::size_t at = 0;
    while (at < groups.size() && taken[at] == groups[at].size()) {
      for (const Published* published : groups[at]) {
        missing += fingerprint(*published);
      }
      taken[at++] = 0;
    }
    if (at == groups.size()) {
      return false;
    }
    missing -= fingerprint(*groups[at][taken[at]++]);
    if (missing != 0) {
      continue;
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (std::size_t j = 0; j < taken[i]; ++j) {
        add(rest, *groups[i][j], -1);
      }
    }
    return is_zero(rest);
  }
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

bool lanes_are_open(Simulator& simulator, const TopicDraw& topic, std::size_t site) {
  gateway::Topic* held = topic_at(simulator, site, topic);
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

void check_topic_end(Simulator& simulator, std::size_t index) {
  const Scenario& scenario = simulator.scenario();
  const TopicDraw& topic = scenario.topics[index];
  const Sums safe = safe_sums(simulator, index);
  const auto groups = unknown_groups(simulator, index);
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
  const Sums truth = read_sums(*topic_at(simulator, reference, topic));
  Sums rest = truth;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    rest[i] -= safe[i];
  }
  if (!explain(rest, groups)) {
    simulator.violation(
        fmt::format("conservation: {} at {} is not what was published ({} lives ended "
                    "in doubt): {}",
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
    gateway::Topic& held = *topic_at(simulator, site, topic);
    Sums sums = read_sums(held);
    simulator.trace().note(simulator.now(), Happening::kSum, fingerprint(sums));
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] -= truth[i];
    }
    const std::uint64_t more =
        ledger::FieldChecksum(held.spec().id.topic, held.spec().id.shard).of_range(0, sums);
    if (more != held.ledger().conservation().detached_checksum) {
      simulator.violation(fmt::format("{} holds of {} what nobody published and nobody lost: {}",
                                      scenario.sites[site],
                                      topic.name,
                                      first_difference(truth, read_sums(held))));
    }
  }
}

// What may occupy a topic at a site, counted from outside: lanes to the other sites, and of every
// client there its place. That of the life before may be kept, too: until its connection is
// drained, and for a while by a gateway that has restarted.
ledger::Occupancy occupancy_at_most(Simulator& simulator,
                                    std::size_t site,
                                    TopicId topic,
                                    bool settled) {
  const Scenario& scenario = simulator.scenario();
  const std::uint32_t each = settled && !simulator.sites()[site]->has_restarted() ? 1 : 2;
  ledger::Occupancy most;
  most.site_lanes = static_cast<std::uint32_t>(scenario.site_count() - 1);
  most.lane_slots = most.site_lanes;
  for (const auto& client : simulator.clients()) {
    if (client->draw().site == site && TopicId::of(client->topic().name) == topic) {
      most.subscriber_lanes += client->draw().subscribes ? each : 0U;
      most.lane_slots += client->draw().subscribes ? 2U : 0U;  // a slot's tables stay
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

std::string why_unsettled(Simulator& simulator) {
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
      if (scenario.may_hold(topic, i) && !lanes_are_open(simulator, topic, i)) {
        return fmt::format("the lanes of {} at {} are not open", topic.name, scenario.sites[i]);
      }
    }
  }
  for (std::size_t i = 0; i < simulator.sites().size(); ++i) {
    if (!simulator.sites()[i]->gateway().drained()) {
      return fmt::format("{} is not drained: {}", scenario.sites[i], undrained(simulator, i));
    }
  }
  for (std::size_t t = 0; t < scenario.topics.size(); ++t) {
    const TopicDraw& topic = scenario.topics[t];
    std::optional<Sums> same;
    for (std::size_t i = 0; i < scenario.site_count(); ++i) {
      if (!scenario.may_hold(topic, i)) {
        continue;
      }
      const Sums sums = read_sums(*topic_at(simulator, i, topic));
      if (same && *same != sums && !scenario.has(FaultKind::kLose)) {
        return fmt::format(
            "{} at {}: {}", topic.name, scenario.sites[i], first_difference(*same, sums));
      }
      same = sums;
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
    }
  }
  return {};
}

bool is_settled(Simulator& simulator) {
  return why_unsettled(simulator).empty();
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
    check_topic_end(simulator, topic);
  }
}

}  // namespace godwit::sim
