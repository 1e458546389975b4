#include "tests/sim/scenario.h"

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <initializer_list>

#include <fmt/format.h>

#include "api/local/ring.h"
#include "dataplane/base/random.h"
#include "dataplane/base/sharding.h"
#include "dataplane/ledger/types.h"

namespace godwit::sim {
namespace {

std::uint64_t between(Random& random, std::uint64_t least, std::uint64_t most) {
  return least + random.below(most - least + 1);
}

Duration between(Random& random, Duration least, Duration most) {
  const auto span = static_cast<std::uint64_t>((most - least).count_ns()) + 1;
  return least + Duration::ns(static_cast<std::int64_t>(random.below(span)));
}

template <class Value>
Value one_of(Random& random, std::initializer_list<Value> values) {
  return values.begin()[random.below(values.size())];
}

LinkDraw draw_link(Random& random, Level level) {
  LinkDraw link;
  link.delay = between(random, Duration::us(100), Duration::ms(random.chance(0.2) ? 150 : 25));
  if (level == Level::kQuic) {
    // Slow links keep the number of packets, and so the time that encryption takes, small.
    link.rate = BitRate::bps(between(random, 300'000, 1'000'000));
    link.loss = random.chance(0.5) ? random.uniform() * 0.03 : 0.0;
    link.jitter = random.chance(0.3) ? Duration::ms(3) : Duration::zero();
  } else {
    link.rate = BitRate::bps(between(random, 1, random.chance(0.5) ? 20 : 400) * 500'000);
    link.jitter =
        random.chance(0.6) ? between(random, Duration::us(10), Duration::ms(40)) : Duration::zero();
  }
  return link;
}

std::uint64_t draw_elements(Random& random, Level level) {
  const std::uint64_t kind = random.below(level == Level::kQuic ? 14 : 16);
  if (kind < 6) {
    return between(random, 1, 200);
  }
  if (kind < 14) {
    return between(random, 200, 9'000);
  }
  if (kind < 15) {
    return between(random, 20'000, 40'000);  // around one tile
  }
  return between(random, 60'000, 70'000);  // up to a third tile
}

TopicDraw draw_topic(Random& random, const RunOptions& options, std::string name) {
  TopicDraw topic;
  topic.name = std::move(name);
  topic.element_count = draw_elements(random, options.level);
  topic.fraction_bits = one_of<std::uint32_t>(random, {0, 8, 20, 40});
  topic.tolerance_quanta = random.chance(0.3) ? between(random, 1, 50) : 0;
  if (random.chance(0.2)) {
    topic.significance = one_of<double>(random, {0.01, 0.1, 0.5});
    topic.significance_decays = random.chance(0.5);
  }
  topic.deadline =
      random.chance(0.3) ? between(random, Duration::ms(5), Duration::ms(500)) : Duration::zero();
  if (random.chance(0.1)) {
    topic.shards = random.chance(0.8) ? 2 : 4;
    topic.element_count = kShardTileElements * (topic.shards - 1) + between(random, 1, 9'000);
  }
  topic.has_seed = random.chance(0.2) && (topic.element_count < 5'000 || topic.shards > 1);
  return topic;
}

void size_rings(Random& random, const TopicDraw& topic, ClientDraw& client) {
  // A record takes at most a quarter of a ring; a delivery is as large as a tile can be.
  const std::uint64_t tile =
      std::min<std::uint64_t>(topic.element_count, ledger::kTileElements) * sizeof(std::int64_t);
  const std::uint64_t least = std::bit_ceil(4 * (tile + 1024));
  client.to_client_bytes = static_cast<std::size_t>(
      std::max<std::uint64_t>(least, std::uint64_t{8192} << random.below(5)));
  client.to_gateway_bytes = std::size_t{8192} << random.below(6);
}

ClientDraw draw_client(Random& random, const Scenario& scenario, std::size_t topic) {
  const bool quic = scenario.options.level == Level::kQuic;
  ClientDraw client;
  client.topic = topic;
  client.publishes = true;
  client.subscribes = random.chance(0.6);
  client.named = random.chance(0.75);
  client.steps = client.named && random.chance(0.8);
  client.restarted = client.steps && random.chance(0.7) ? Restarted::kRepeats : Restarted::kGoesOn;
  client.repeats_safe = random.chance(0.5) ? random.below(3) : 0;
  client.fixed = random.chance(0.7);
  client.publishes_max = between(random, 2, quic ? 6 : 9);
  client.unsafe_max = between(random, 1, 4);
  client.period = between(random, Duration::ms(2), Duration::ms(random.chance(0.5) ? 20 : 200));
  client.dense = one_of<double>(random, {0.0, 0.2, 1.0});
  if (scenario.topics[topic].shards > 1) {
    // Whether a repeated publish was in is answered for each shard, and to the application for all:
    // who subscribes as well could not say what of its own is not echoed.
    client.restarted = client.subscribes ? Restarted::kGoesOn : client.restarted;
    client.dense = quic ? 0.0 : client.dense;  // its links are too slow
  }
  client.magnitude = std::uint64_t{1} << one_of<std::uint32_t>(random, {1, 4, 10, 30});
  size_rings(random, scenario.topics[topic], client);
  return client;
}

void draw_clients(Random& random, Scenario& scenario) {
  // Either everybody keeps clocks on the first topic, or nobody does.
  const bool clocked = random.chance(0.4);
  const std::uint64_t staleness = random.below(3);
  for (std::size_t topic = 0; topic < scenario.topics.size(); ++topic) {
    for (std::size_t site = 0; site < scenario.site_count(); ++site) {
      if (!scenario.may_hold(scenario.topics[topic], site)) {
        ClientDraw intruder = draw_client(random, scenario, topic);
        intruder.site = site;
        intruder.publishes = intruder.subscribes = false;
        scenario.clients.push_back(intruder);
        continue;
      }
      const std::size_t publishers = topic == 0 && random.chance(0.3) ? 2 : 1;
      for (std::size_t i = 0; i < publishers; ++i) {
        ClientDraw client = draw_client(random, scenario, topic);
        client.site = site;
        if (clocked && topic == 0 && i == 0) {
          client.ticks = client.subscribes = client.named = true;
          client.steps = true;
          client.restarted =
              scenario.topics[0].shards == 1 ? Restarted::kRepeats : Restarted::kGoesOn;
          client.staleness = staleness;
        }
        client.non_negative = clocked && topic == 0;
        scenario.clients.push_back(client);
      }
      if (random.chance(0.5)) {
        ClientDraw watcher = draw_client(random, scenario, topic);
        watcher.site = site;
        watcher.publishes = false;
        watcher.subscribes = true;
        watcher.named = false;
        watcher.steps = false;
        scenario.clients.push_back(watcher);
      }
    }
  }
}

struct Swarm {
  FaultKind kind;
  double chance;          // that a seed has this kind at all
  std::uint64_t at_most;  // how often then
};

constexpr std::array<Swarm, 11> kSwarm = {{{FaultKind::kCut, 0.45, 4},
                                           {FaultKind::kBreak, 0.35, 6},
                                           {FaultKind::kCrash, 0.6, 5},
                                           {FaultKind::kKill, 0.3, 3},
                                           {FaultKind::kLose, 0.12, 1},
                                           {FaultKind::kClientCrash, 0.35, 4},
                                           {FaultKind::kClientLeave, 0.25, 3},
                                           {FaultKind::kStall, 0.3, 3},
                                           {FaultKind::kFull, 0.2, 2},
                                           {FaultKind::kNarrow, 0.15, 2},
                                           {FaultKind::kSlow, 0.3, 3}}};

Fault draw_fault(Random& random, const Scenario& scenario, FaultKind kind) {
  Fault fault;
  fault.kind = kind;
  fault.at = scenario.begin + between(random, Duration::ms(1), scenario.heal - scenario.begin);
  fault.a = random.below(scenario.site_count());
  fault.b = (fault.a + 1 + random.below(scenario.site_count() - 1)) % scenario.site_count();
  fault.symmetric = random.chance(0.7);
  fault.with_clients = random.chance(0.25);
  fault.lasts = between(random, Duration::ms(1), Duration::ms(random.chance(0.5) ? 60 : 1500));
  switch (kind) {
    case FaultKind::kCrash: {
      // Crash points within one step, one turn, or many turns later.
      const std::uint64_t most = one_of<std::uint64_t>(random, {6, 60, 800});
      fault.points = static_cast<std::int64_t>(random.below(most));
      break;
    }
    case FaultKind::kFull:
      fault.points = static_cast<std::int64_t>(random.below(6));
      break;
    case FaultKind::kLose:
      fault.files_alone = !fault.symmetric;  // a draw that says nothing else of this kind
      break;
    case FaultKind::kClientCrash:
    case FaultKind::kClientLeave:
    case FaultKind::kStall:
      fault.a = random.below(scenario.clients.size());
      break;
    default:
      break;
  }
  return fault;
}

std::string_view name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kCut:
      return "cut";
    case FaultKind::kBreak:
      return "break";
    case FaultKind::kCrash:
      return "crash";
    case FaultKind::kKill:
      return "kill";
    case FaultKind::kLose:
      return "lose";
    case FaultKind::kClientCrash:
      return "client-crash";
    case FaultKind::kClientLeave:
      return "client-leave";
    case FaultKind::kStall:
      return "stall";
    case FaultKind::kFull:
      return "full";
    case FaultKind::kNarrow:
      return "narrow";
    case FaultKind::kSlow:
      return "slow";
  }
  return "";
}

}  // namespace

bool Scenario::may_hold(const TopicDraw& topic, std::size_t site) const {
  return topic.allowed.empty() ||
         std::find(topic.allowed.begin(), topic.allowed.end(), site) != topic.allowed.end();
}

bool Scenario::has(FaultKind kind) const {
  return std::any_of(
      faults.begin(), faults.end(), [kind](const Fault& fault) { return fault.kind == kind; });
}

Scenario draw_scenario(const RunOptions& options) {
  Random random(options.seed * 2 + (options.level == Level::kQuic ? 1 : 0));
  Scenario scenario;
  scenario.options = options;
  for (std::size_t i = 0; i < options.sites; ++i) {
    scenario.sites.emplace_back(kSiteNames.at(i));
  }
  for (std::size_t from = 0; from < options.sites; ++from) {
    for (std::size_t to = 0; to < options.sites; ++to) {
      scenario.links.push_back(draw_link(random, options.level));
    }
  }
  scenario.topics.push_back(draw_topic(random, options, "model/weights"));
  if (options.sites > 2 && random.chance(0.2)) {
    TopicDraw secret = draw_topic(random, options, "private/embedding");
    secret.element_count = std::min<std::uint64_t>(secret.element_count, 5'000);
    secret.shards = 1;
    const std::size_t kept_out = random.below(options.sites);
    for (std::size_t site = 0; site < options.sites; ++site) {
      if (site != kept_out) {
        secret.allowed.push_back(site);
      }
    }
    scenario.topics.push_back(secret);
  }
  draw_clients(random, scenario);
  scenario.begin = Instant::from_ns(1'000'000'000);
  scenario.heal = scenario.begin + between(random, Duration::ms(300), Duration::ms(2500));
  scenario.replay = random.chance(0.4) ? random.uniform() * 0.3 : 0.0;
  scenario.silence = between(random, Duration::ms(300), Duration::ms(2000));
  scenario.window = random.chance(0.4) ? static_cast<std::uint32_t>(between(random, 1, 8)) : 0;
  for (const Swarm& swarm : kSwarm) {
    const bool on = random.chance(swarm.chance);
    const std::uint64_t count = between(random, 1, swarm.at_most);
    for (std::uint64_t i = 0; on && i < count; ++i) {
      scenario.faults.push_back(draw_fault(random, scenario, swarm.kind));
    }
  }
  if (options.level == Level::kStub && random.chance(0.08)) {
    scenario.forgery = random.chance(0.5) ? Forgery::kHistory : Forgery::kContent;
  }
  if (scenario.forgery != Forgery::kNone) {
    scenario.faults.clear();
    scenario.replay = 0;
  }
  std::stable_sort(scenario.faults.begin(),
                   scenario.faults.end(),
                   [](const Fault& x, const Fault& y) { return x.at < y.at; });
  return scenario;
}

std::string describe(const Scenario& scenario) {
  std::string text = fmt::format(
      "seed {} level {}{}: heals at {:.3f} s, silence {} ms, window {}, "
      "replay {:.2f}\n",
      scenario.options.seed,
      static_cast<int>(scenario.options.level),
      scenario.forgery == Forgery::kNone ? "" : " with a forged transfer",

      static_cast<double>(scenario.heal.ns()) * 1e-9,
      scenario.silence.count_ms(),
      scenario.window,
      scenario.replay);
  for (const TopicDraw& topic : scenario.topics) {
    text += fmt::format(
        "  topic {}: {} elements in {} shards, quantum 2^-{}, tolerance {}, significance {}{}, "
        "deadline {} ms{}{}\n",
        topic.name,
        topic.element_count,
        topic.shards,
        topic.fraction_bits,
        topic.tolerance_quanta,
        topic.significance,
        topic.significance_decays ? " decaying" : "",
        topic.deadline.count_ms(),
        topic.has_seed ? ", seeded" : "",
        topic.allowed.empty() ? "" : ", not for every site");
  }
  for (std::size_t from = 0; from < scenario.site_count(); ++from) {
    for (std::size_t to = 0; to < scenario.site_count(); ++to) {
      if (from != to) {
        const LinkDraw& link = scenario.link(from, to);
        text += fmt::format("  link {} to {}: {} us, {} kbit/s, jitter {} us, loss {:.3f}\n",
                            scenario.sites[from],
                            scenario.sites[to],
                            link.delay.count_us(),
                            link.rate.bits_per_second() / 1000,
                            link.jitter.count_us(),
                            link.loss);
      }
    }
  }
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    const ClientDraw& client = scenario.clients[i];
    text += fmt::format(
        "  client {} at {} on {}:{}{}{}{}{}{} at most {} of magnitude {}, {} unsafe, "
        "rings {} and {} KiB\n",
        i,
        scenario.sites[client.site],
        scenario.topics[client.topic].name,
        client.publishes ? " publishes" : "",
        client.subscribes ? " subscribes" : "",
        client.named ? " named" : "",
        client.steps ? " steps" : "",
        client.ticks ? " ticks" : "",
        client.restarted == Restarted::kRepeats ? " repeats" : " goes on",
        client.publishes_max,
        client.magnitude,
        client.unsafe_max,
        client.to_gateway_bytes >> 10U,
        client.to_client_bytes >> 10U);
  }
  for (const Fault& fault : scenario.faults) {
    text += fmt::format("  {:9.6f} s {} a={} b={}{}{}{} points {} for {} ms\n",
                        static_cast<double>(fault.at.ns()) * 1e-9,
                        name(fault.kind),
                        fault.a,
                        fault.b,
                        fault.symmetric ? " both ways" : "",
                        fault.with_clients ? " with its clients" : "",
                        fault.files_alone ? " the files alone" : "",
                        fault.points,
                        fault.lasts.count_ms());
  }
  return text;
}

gateway::Config make_config(const Scenario& scenario,
                            std::size_t site,
                            const std::multiset<std::size_t>& kept_out) {
  gateway::Config config;
  config.file = "simulated.toml";
  config.site = scenario.sites[site];
  for (std::size_t i = 0; i < scenario.site_count(); ++i) {
    config.sites.push_back({.name = scenario.sites[i],
                            .id = SiteId::of(scenario.sites[i]),
                            .endpoints = {fmt::format("10.0.0.{}:4433", i + 1)}});
  }
  for (std::size_t i = 0; i < scenario.site_count(); ++i) {
    for (std::size_t j = i + 1; j < scenario.site_count(); ++j) {
      gateway::LinkConfig link;
      link.name = fmt::format("{}-{}", scenario.sites[i], scenario.sites[j]);
      link.ends[0] = scenario.sites[i];
      link.ends[1] = scenario.sites[j];
      link.cap = std::min(scenario.link(i, j).rate, scenario.link(j, i).rate);
      link.rtt = scenario.link(i, j).delay + scenario.link(j, i).delay;
      config.links.push_back(link);
    }
  }
  for (const TopicDraw& topic : scenario.topics) {
    gateway::PolicyConfig policy;
    policy.match = topic.name;
    const bool narrowed = &topic == scenario.topics.data() && !kept_out.empty();
    for (std::size_t i = 0; i < scenario.site_count(); ++i) {
      if ((narrowed || !topic.allowed.empty()) && scenario.may_hold(topic, i) &&
          !(narrowed && kept_out.contains(i))) {
        policy.allowed.push_back(scenario.sites[i]);
      }
    }
    config.policies.push_back(policy);
  }
  return config;
}

std::string command(const RunOptions& options) {
  // The sanitizers need fixed addresses; the program lies beside the test.
  const auto program = std::filesystem::canonical("/proc/self/exe").replace_filename("godwit-sim");
  return fmt::format(
      "setarch -R {} --seed {} --level {}{}{} --verbose",
      program.string(),
      options.seed,
      static_cast<int>(options.level),
      options.sites != 3 ? fmt::format(" --sites {}", options.sites) : "",
      options.mutant != Mutant::kNone ? fmt::format(" --mutant {}", name(options.mutant)) : "");
}

std::string_view name(Mutant mutant) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(Mutant::kCount)> kNames = {
      "none",
      "receipt-before-apply",
      "send-before-freeze",
      "add-to-frozen",
      "frontier-apart-from-sums",
      "dedupe-without-incarnation",
      "subtract-original",
      "skip-cumulative-check",
      "skip-content-check",
      "keep-incarnation",
      "echo-own-publish",
      "repeated-publish-merges-twice",
      "detached-not-booked",
      "redo-skipped",
      "apply-twice",
      "drop-on-session-loss",
      "clock-overtakes-data",
      "safe-before-commit",
      "forward-applied",
      "leave-lanes-open",
      "never-ask-again",
  };
  return kNames.at(static_cast<std::size_t>(mutant));
}

}  // namespace godwit::sim
