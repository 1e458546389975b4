#include "tests/sim/simulator.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/ledger/field_checksum.h"
#include "dataplane/wire/transfer.h"
#include "tests/sim/checkers.h"
#include "tests/sim/quic_network.h"
#include "tests/sim/stub_network.h"

namespace godwit::sim {
namespace {

// A turn that wants another one gets it so much later: what a real turn takes at least.
constexpr Duration kTurnTime = Duration::us(20);
// After healing, all sums must be equal within this time.
constexpr Duration kSettleMax = Duration::seconds(60);
constexpr Duration kSettlePoll = Duration::ms(20);
// Equal sums must stay equal for so long, whatever still arrives.
constexpr Duration kStayEqual = Duration::ms(1200);
// A run takes some thousands of turns; a gateway that never sleeps takes millions.
constexpr std::uint64_t kTurnsMax = 400'000;
constexpr std::uint64_t kTurnsBetweenChecks = 8;
constexpr std::size_t kViolationsMax = 8;
// Where a transfer's header holds its checksum, the cumulative one and, behind the origins, its CRC
// (wire/SPEC.md).
constexpr std::size_t kChecksumOffset = 68;
constexpr std::size_t kCumulativeOffset = 76;
constexpr std::size_t kHeaderCrcOffset = 90;
constexpr Duration kNoticeMax = Duration::ms(200);

// A publisher for whom there is no storage is sent away with that reason. Where one shard was lost
// and begins from zero, the client begins all of them anew.
bool comes_again(std::string_view why) {
  return why.find("no storage") != std::string_view::npos ||
         why.find("starts again") != std::string_view::npos;
}

}  // namespace

Simulator::Simulator(Scenario scenario)
    : scenario_(std::move(scenario)),
      random_(scenario_.options.seed ^ 0x5eed5eed5eed5eedU),
      cuts_(scenario_.links.size(), 0),
      woken_(scenario_.site_count(), false),
      now_(scenario_.begin) {
  const RunOptions& options = scenario_.options;
  crash_plan() = {.points_left = -1, .mutant = options.mutant, .window = scenario_.window};
  auto watch = [this](Instant sent, std::size_t from, std::size_t to, std::span<std::byte> bytes) {
    watch_transfer(sent, from, to, bytes);
  };
  if (options.level == Level::kStub) {
    wide_area_ = std::make_unique<StubNetwork>(scenario_, random_.next(), trace_, std::move(watch));
  } else {
    wide_area_ = make_quic_network(scenario_, random_.next(), trace_);
  }
  for (std::size_t i = 0; i < scenario_.site_count(); ++i) {
    sites_.push_back(std::make_unique<SiteActor>(scenario_, i, random_.next(), *wide_area_));
  }
  for (std::size_t i = 0; i < scenario_.clients.size(); ++i) {
    clients_.push_back(std::make_unique<ClientActor>(
        scenario_, i, random_.next(), trace_, [this](std::string text) {
          violation(std::move(text));
        }));
  }
}

Simulator::~Simulator() {
  clients_.clear();
  sites_.clear();
  crash_plan() = {};
}

void Simulator::violation(std::string text) {
  if (result_.violations.size() < kViolationsMax) {
    result_.violations.push_back(
        fmt::format("at {:.6f} s: {}", static_cast<double>(now_.ns()) * 1e-9, text));
  }
}

void Simulator::schedule(Instant at, std::function<void()> action) {
  timeline_.emplace(at, std::move(action));
}

Instant Simulator::next_instant() const {
  Instant next = timeline_.empty() ? Instant::never() : timeline_.begin()->first;
  next = std::min(next, wide_area_->next_event());
  for (const auto& site : sites_) {
    if (site->alive()) {
      next = std::min({next, site->turn_at, std::max(site->deadline(), now_ + kTurnTime)});
    }
  }
  for (const auto& client : clients_) {
    next = std::min(next, std::max(client->next_event(), now_ + kTurnTime));
  }
  return next;
}

RunResult Simulator::run() {
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    schedule(scenario_.begin + Duration::us(static_cast<std::int64_t>(random_.below(50'000))),
             [this, i] { start_site(i); });
  }
  for (const auto& client : clients_) {
    ClientActor* one = client.get();
    schedule(scenario_.begin + Duration::us(static_cast<std::int64_t>(random_.below(100'000))),
             [this, one] { one->start(now_); });
  }
  for (const Fault& fault : scenario_.faults) {
    schedule(fault.at, [this, fault] { begin_fault(fault); });
  }
  schedule(scenario_.heal, [this] { heal_all(); });
  std::optional<Instant> equal_since;
  Instant next_poll = scenario_.heal + kSettlePoll;
  while (result_.violations.empty()) {
    now_ = std::max(now_, std::min(next_instant(), healed_ ? next_poll : Instant::never()));
    run_instant();
    if (scenario_.forgery != Forgery::kNone && forgery_is_over()) {
      break;
    }
    if (result_.turns > kTurnsMax) {
      violation("a gateway does not sleep: too many turns");
    }
    if (!healed_ || now_ < next_poll) {
      continue;
    }
    next_poll = now_ + std::max(kSettlePoll, (now_ - scenario_.heal) / 20);
    if (!equal_since && why_unsettled(*this).empty()) {
      equal_since = now_;
      result_.settle_time = now_ - scenario_.heal;
    }
    // A session that seemed to live may have ended since, and another one have begun.
    if (equal_since && now_ - *equal_since >= kStayEqual && why_unfinished(*this).empty()) {
      break;
    }
    if (now_ - scenario_.heal > kSettleMax) {
      violation(fmt::format("not settled {} s after everything healed: {}",
                            kSettleMax.count_ms() / 1000,
                            why_unsettled(*this)));
    }
  }
  if (result_.violations.empty() && !forged_at_) {
    check_end(*this);
  }
  result_.virtual_time = now_ - scenario_.begin;
  result_.messages = wide_area_->messages();
  result_.hash = trace_.hash();
  result_.events = trace_.events();
  for (const auto& client : clients_) {
    result_.publishes += client->log().size();
    result_.clocks_reached += client->clocks_reached();
  }
  return result_;
}

void Simulator::run_instant() {
  while (!timeline_.empty() && timeline_.begin()->first <= now_) {
    const auto action = std::move(timeline_.begin()->second);
    timeline_.erase(timeline_.begin());
    action();
  }
  woken_.assign(woken_.size(), false);
  wide_area_->advance(now_, woken_);
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    sites_[i]->awake = sites_[i]->awake || woken_[i];
  }
  turn_clients();
  // Gateways and clients ring each other's bells; one round trip at each instant, then time passes.
  if (turn_sites()) {
    turn_clients();
  }
  watch_healed_links();
}

void Simulator::turn_clients() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    ClientActor& client = *clients_[i];
    SiteActor& site = *sites_[client.draw().site];
    if (client.wants_dial(now_)) {
      if (site.alive()) {
        const std::uint64_t connection = next_connection_++;
        client.connect(now_, connection, site.accept(now_, connection, client.draw()));
      } else {
        client.on_dial_failed(now_);
      }
    }
    bool rung = false;
    if (const auto connection = client.connection()) {
      const auto bell = site.rung.find(*connection);
      rung = bell != site.rung.end() && std::exchange(bell->second, false);
    }
    if (rung || client.next_event() <= now_) {
      client.turn(now_);
      if (const auto clock = client.take_reached_clock()) {
        check_clock(*this, i, *clock);
      }
      if (client.take_left()) {
        client_left(i);
      }
    }
    const auto connection = client.connection();
    if (connection && (site.has_dropped(*connection) || !client.failure(now_).empty())) {
      const std::string why = client.failure(now_);
      if (!why.empty() && !comes_again(why)) {
        violation(fmt::format("client {}: the channel failed: {}", i, why));
      }
      client.disconnect(now_, "dropped");
      site.hang_up(*connection);
      site.bury();
    }
  }
}

bool Simulator::turn_sites() {
  bool any = false;
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    SiteActor& site = *sites_[i];
    if (site.alive() && (site.awake || site.turn_at <= now_ || site.deadline() <= now_)) {
      turn_site(i);
      any = true;
    }
  }
  return any;
}

void Simulator::turn_site(std::size_t index) {
  SiteActor& site = *sites_[index];
  site.awake = false;
  site.turn_at = Instant::never();
  ++result_.turns;
  switch (site.turn(now_)) {
    case SiteActor::Outcome::kCrashed:
      site_died(index, site.crash_with_clients, site.restart_after);
      return;
    case SiteActor::Outcome::kMore:
      site.turn_at = now_ + kTurnTime;
      break;
    default:
      break;
  }
  if (site.turns() % kTurnsBetweenChecks == 0 && !forged_at_) {
    check_ledgers(*this, index, false);
  }
}

// What is changed goes through every check but the one that it is meant for.
void Simulator::forge(std::size_t from, std::size_t to, std::span<std::byte> bytes) {
  const auto header = wire::parse_header(bytes);
  gateway::Topic* topic = sites_[to]->gateway().core().find_topic({header->topic, header->shard});
  if (topic == nullptr) {
    return;
  }
  const auto at = topic->peers().find(SiteId::of(scenario_.sites[from]));
  if (at == topic->peers().end() || !at->second.incoming ||
      topic->ledger().incoming(*at->second.incoming).frontier + 1 != header->k) {
    return;
  }
  const auto put_crc = [bytes](std::size_t where) {
    ByteWriter(bytes.subspan(where)).u32(crc32c(bytes.first(where)));
  };
  ByteWriter(bytes.subspan(kCumulativeOffset)).u64((header->cumulative + 1) % ledger::kFieldPrime);
  if (scenario_.forgery == Forgery::kContent) {
    ByteWriter(bytes.subspan(kChecksumOffset)).u64((header->checksum + 1) % ledger::kFieldPrime);
  }
  put_crc(kHeaderCrcOffset + header->origin_count * sizeof(std::uint32_t));
  put_crc(bytes.size() - sizeof(std::uint32_t));
  forged_at_ = now_;
  forged_to_ = to;
}

bool Simulator::forgery_is_over() {
  if (!forged_at_) {
    return false;
  }
  gateway::Core& core = sites_[forged_to_]->gateway().core();
  const bool has_defect =
      std::any_of(core.topics.begin(), core.topics.end(), [](const auto& entry) {
        return entry.second->ledger().conservation().defects != 0;
      });
  const bool was_refused = std::any_of(core.peers.begin(), core.peers.end(), [](const auto& peer) {
    return peer->counters.transfers_corrupt != 0;
  });
  if (scenario_.forgery == Forgery::kHistory ? has_defect : was_refused) {
    return true;
  }
  if (now_ - *forged_at_ > kNoticeMax) {
    violation(scenario_.forgery == Forgery::kHistory
                  ? "a transfer that contradicts its lane's sum went unnoticed"
                  : "integers that are not those of their checksum were taken");
    return true;
  }
  return false;
}

void Simulator::watch_transfer(Instant sent,
                               std::size_t from,
                               std::size_t to,
                               std::span<std::byte> bytes) {
  const auto header = wire::parse_header(bytes);
  if (!header) {
    violation("a transfer on the wire has no header");
    return;
  }
  for (const TopicDraw& topic : scenario_.topics) {
    if (TopicId::of(topic.name) != header->topic) {
      continue;
    }
    const bool kept_out = &topic == scenario_.topics.data() && sites_[from]->kept_out(to, sent);
    if (!scenario_.may_hold(topic, from) || !scenario_.may_hold(topic, to) || kept_out) {
      violation(fmt::format("residency: a transfer of {} went from {} to {}",
                            topic.name,
                            scenario_.sites[from],
                            scenario_.sites[to]));
    }
    if (header->remaining_deadline_ms != wire::kNoDeadline &&
        header->remaining_deadline_ms > topic.deadline.count_ms()) {
      violation(fmt::format("a transfer of {} says that {} ms of {} are left",
                            topic.name,
                            header->remaining_deadline_ms,
                            topic.deadline.count_ms()));
    }
  }
  if (scenario_.forgery != Forgery::kNone && !forged_at_) {
    forge(from, to, bytes);
  }
}

RunResult run_seed(const RunOptions& options) {
  Simulator simulator(options);
  return simulator.run();
}

}  // namespace godwit::sim
