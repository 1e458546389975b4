// A run: sites, clients and the network between them under one virtual clock and one seed.
//
//     next instant = min(faults' timeline, network, gateways' deadlines, clients)
//       ─▶ faults ─▶ network ─▶ clients ─▶ gateways ─▶ checks ─▶ (again until nobody is awake)
//
// A run has two parts. Until `heal` clients publish and faults happen. Then everything heals,
// everybody is restarted, nobody publishes: all sites must come to equal sums in bounded time.
//
// Thread: one per run; runs on different threads are independent. Time: virtual.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/client_actor.h"
#include "tests/sim/scenario.h"
#include "tests/sim/site_actor.h"
#include "tests/sim/trace.h"
#include "tests/sim/wide_area.h"

namespace godwit::sim {

struct RunResult {
  std::vector<std::string> violations;  // empty: all is well
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t crashes = 0;  // of gateways, at crash points and between turns
  std::uint64_t client_crashes = 0;
  std::uint64_t departures = 0;  // of clients, in good order
  std::uint64_t narrowings = 0;  // of a site's policy
  std::uint64_t cuts = 0;
  std::uint64_t losses = 0;  // of a site's state
  std::uint64_t publishes = 0;
  std::uint64_t clocks_reached = 0;
  std::uint64_t turns = 0;
  std::uint64_t messages = 0;
  Duration virtual_time = Duration::zero();
  Duration settle_time = Duration::zero();  // from healing to equal sums
  // From the end of each cut of both directions until whole transfers had passed both ways.
  std::vector<Duration> carried_after;
};

class Simulator {
 public:
  explicit Simulator(const RunOptions& options) : Simulator(draw_scenario(options)) {}
  explicit Simulator(Scenario scenario);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  RunResult run();

  // For the checkers.
  const Scenario& scenario() const { return scenario_; }
  std::vector<std::unique_ptr<SiteActor>>& sites() { return sites_; }
  std::vector<std::unique_ptr<ClientActor>>& clients() { return clients_; }
  Trace& trace() { return trace_; }
  Instant now() const { return now_; }
  void violation(std::string text);

 private:
  void schedule(Instant at, std::function<void()> action);
  void begin_fault(const Fault& fault);
  void restart_with_policy(const Fault& fault, void (SiteActor::*change)(Instant, std::size_t));
  std::array<std::uint64_t, 2> taken_over_link(const Fault& cut);
  void watch_healed_links();
  void begin_cut(const Fault& fault);
  void end_cut(const Fault& fault);
  void heal_all();
  void start_site(std::size_t site);
  void site_died(std::size_t site, bool with_clients, Duration restart_after);
  void crash_client(std::size_t client, Duration restart_after);
  void client_left(std::size_t client);
  void client_ended(std::size_t client, std::optional<std::uint64_t> connection, Duration until);
  void drop_connections(std::size_t site);

  Instant next_instant() const;
  void run_instant();
  void turn_clients();
  bool turn_sites();
  void turn_site(std::size_t site);
  void watch_transfer(Instant sent, std::size_t from, std::size_t to, std::span<std::byte> bytes);
  void forge(std::size_t from, std::size_t to, std::span<std::byte> bytes);
  bool forgery_is_over();

  Scenario scenario_;
  Trace trace_;
  Random random_;
  RunResult result_;
  std::unique_ptr<WideArea> wide_area_;
  std::vector<std::unique_ptr<SiteActor>> sites_;
  std::vector<std::unique_ptr<ClientActor>> clients_;
  std::multimap<Instant, std::function<void()>> timeline_;
  std::vector<int> cuts_;  // how many cuts lie on a direction
  struct HealedLink {
    Fault cut;
    Instant since;
    std::array<std::uint64_t, 2> taken;  // transfers by both ends, until then
  };
  std::vector<HealedLink> healed_links_;  // that have not carried anything since
  std::vector<bool> woken_;
  Instant now_;
  bool healed_ = false;
  std::optional<Instant> forged_at_;
  std::size_t forged_to_ = 0;
  std::uint64_t next_connection_ = 1;
};

RunResult run_seed(const RunOptions& options);

}  // namespace godwit::sim
