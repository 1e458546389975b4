// What the simulator does to its sites, links and clients when a fault's time has come.
#include <algorithm>

#include <fmt/format.h>

#include "dataplane/memory/mapping.h"
#include "tests/sim/simulator.h"

namespace godwit::sim {
namespace {

constexpr Duration kRestartTime = Duration::ms(5);  // of a gateway that an operator starts anew

}  // namespace

void Simulator::begin_fault(const Fault& fault) {
  if (healed_) {
    return;
  }
  trace_.note(now_, Happening::kFault, static_cast<std::uint64_t>(fault.kind));
  const Instant end = std::min(now_ + fault.lasts, scenario_.heal);
  switch (fault.kind) {
    case FaultKind::kCut:
      ++result_.cuts;
      begin_cut(fault);
      schedule(end, [this, fault] { end_cut(fault); });
      return;
    case FaultKind::kBreak:
      wide_area_->break_session(now_, fault.a, fault.b);
      return;
    case FaultKind::kCrash:
      sites_[fault.a]->crash_points = fault.points;
      sites_[fault.a]->crash_with_clients = fault.with_clients;
      sites_[fault.a]->restart_after = fault.lasts;
      return;
    case FaultKind::kKill:
      if (sites_[fault.a]->alive()) {
        sites_[fault.a]->kill(now_);
        site_died(fault.a, fault.with_clients, fault.lasts);
      }
      return;
    case FaultKind::kLose:
      if (sites_[fault.a]->alive()) {
        ++result_.losses;
        sites_[fault.a]->lose(now_, fault.files_alone);
        site_died(fault.a, fault.with_clients, fault.lasts);
        for (const auto& client : clients_) {
          if (client->draw().site == fault.a) {
            client->on_state_lost();
          }
        }
      }
      return;
    case FaultKind::kClientCrash:
      crash_client(fault.a, fault.lasts);
      return;
    case FaultKind::kClientLeave:
      clients_[fault.a]->leave_when_safe();
      return;
    case FaultKind::kStall:
      clients_[fault.a]->stall(end);
      return;
    case FaultKind::kFull:
      sites_[fault.a]->store().limit(static_cast<std::uint64_t>(fault.points) *
                                     memory::kGranuleBytes);
      schedule(end, [this, fault] {
        sites_[fault.a]->store().lift_limit();
        sites_[fault.a]->awake = true;
      });
      return;
    case FaultKind::kNarrow:
      ++result_.narrowings;
      restart_with_policy(fault, &SiteActor::keep_out);
      schedule(end, [this, fault] { restart_with_policy(fault, &SiteActor::let_in); });
      return;
    case FaultKind::kSlow:
      wide_area_->set_rate(now_, fault.a, fault.b, kSlowRate);
      schedule(end, [this, fault] {
        wide_area_->set_rate(now_, fault.a, fault.b, scenario_.link(fault.a, fault.b).rate);
      });
      return;
  }
}

void Simulator::restart_with_policy(const Fault& fault,
                                    void (SiteActor::*change)(Instant, std::size_t)) {
  SiteActor& site = *sites_[fault.a];
  const bool was_alive = site.alive();
  if (was_alive) {
    site.kill(now_);
  }
  (site.*change)(now_, fault.b);
  if (was_alive) {
    site_died(fault.a, false, kRestartTime);
  }
}

void Simulator::begin_cut(const Fault& fault) {
  const auto cut = [this](std::size_t from, std::size_t to) {
    if (cuts_[from * scenario_.site_count() + to]++ == 0) {
      wide_area_->cut(now_, from, to);
    }
  };
  cut(fault.a, fault.b);
  if (fault.symmetric) {
    cut(fault.b, fault.a);
  }
}

void Simulator::end_cut(const Fault& fault) {
  const auto heal = [this](std::size_t from, std::size_t to) {
    if (--cuts_[from * scenario_.site_count() + to] == 0) {
      wide_area_->heal(now_, from, to);
    }
  };
  heal(fault.a, fault.b);
  if (fault.symmetric) {
    heal(fault.b, fault.a);
    healed_links_.push_back({fault, now_, taken_over_link(fault)});
  }
}

std::array<std::uint64_t, 2> Simulator::taken_over_link(const Fault& cut) {
  const auto taken = [this](std::size_t by, std::size_t from) {
    if (!sites_[by]->alive()) {
      return std::uint64_t{0};
    }
    const SiteId peer = SiteId::of(scenario_.sites[from]);
    return sites_[by]->gateway().core().find_peer(peer)->counters.transfers_received;
  };
  return {taken(cut.a, cut.b), taken(cut.b, cut.a)};
}

void Simulator::watch_healed_links() {
  std::erase_if(healed_links_, [this](const HealedLink& link) {
    const auto taken = taken_over_link(link.cut);
    if (taken[0] <= link.taken[0] || taken[1] <= link.taken[1]) {
      return false;
    }
    result_.carried_after.push_back(now_ - link.since);
    return true;
  });
}

void Simulator::heal_all() {
  // Every fault's own end lies at this instant at the latest; what remains is to stop new ones.
  healed_ = true;
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    sites_[i]->crash_points = -1;
    if (!sites_[i]->alive()) {
      start_site(i);
    }
  }
  for (const auto& client : clients_) {
    client->finish();
    client->stall(now_);
    if (!client->alive()) {
      client->start(now_);
    }
  }
}

void Simulator::start_site(std::size_t index) {
  SiteActor& site = *sites_[index];
  if (site.alive()) {
    return;
  }
  trace_.note(now_, Happening::kRestart, index);
  switch (site.start(now_)) {
    case SiteActor::Outcome::kCrashed:
      site_died(index, false, site.restart_after);
      return;
    case SiteActor::Outcome::kRefused:
      violation(fmt::format(
          "the gateway of {} does not start: {}", scenario_.sites[index], site.error()));
      return;
    default:
      return;
  }
}

void Simulator::site_died(std::size_t index, bool with_clients, Duration restart_after) {
  ++result_.crashes;
  trace_.note(now_, Happening::kCrash, index);
  drop_connections(index);
  if (with_clients) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (clients_[i]->draw().site == index) {
        crash_client(i, restart_after);
      }
    }
  }
  schedule(now_ + restart_after, [this, index] { start_site(index); });
}

void Simulator::drop_connections(std::size_t index) {
  for (const auto& client : clients_) {
    if (client->draw().site == index && client->connection()) {
      client->disconnect(now_, "the gateway died");
    }
  }
  sites_[index]->bury();
}

void Simulator::crash_client(std::size_t index, Duration restart_after) {
  ClientActor& client = *clients_[index];
  if (!client.alive()) {
    return;
  }
  ++result_.client_crashes;
  trace_.note(now_, Happening::kCrash, 1000 + index);
  const auto connection = client.connection();
  client.crash();
  client_ended(index, connection, restart_after);
}

void Simulator::client_left(std::size_t index) {
  trace_.note(now_, Happening::kLeft, index);
  ++result_.departures;
  ClientActor& client = *clients_[index];
  client_ended(index, client.connection(), kRestartTime);
  client.disconnect(now_, "left");
}

void Simulator::client_ended(std::size_t index,
                             std::optional<std::uint64_t> connection,
                             Duration restart_after) {
  if (connection) {
    sites_[clients_[index]->draw().site]->hang_up(*connection);
  }
  schedule(now_ + restart_after, [this, index] {
    if (!clients_[index]->alive()) {
      clients_[index]->start(now_);
    }
  });
}

}  // namespace godwit::sim
