// One site: its storage, its durable counter, its gateway while it lives, and its clients' rings.
//
// Thread: one. Time: virtual. Memory: the store outlives every gateway; everything else dies with
// the process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "api/gateway/gateway.h"
#include "api/local/memory_channel.h"
#include "dataplane/base/random.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/wide_area.h"

namespace godwit::sim {

class SiteActor {
 public:
  SiteActor(const Scenario& scenario, std::size_t index, std::uint64_t seed, WideArea& wide_area);

  enum class Outcome : std::uint8_t {
    kQuiet,
    kMore,     // wants another turn at once
    kCrashed,  // a crash point was hit: the process is dead
    kRefused,  // the gateway did not start; see error()
  };

  // The process begins: recovers from the store, or begins a new incarnation.
  Outcome start(Instant now);
  Outcome turn(Instant now);
  // The process ends between two instructions. Nothing is written, nobody is told.
  void kill(Instant now);
  // The machine is replaced: only the durable counter is left. Or the files of its topics are
  // removed, and nothing else.
  void lose(Instant now, bool files_alone);
  // Dead only: from the next start on its policy keeps the first topic from `site`, or no more. As
  // often as it was kept out it must be let in.
  void keep_out(Instant now, std::size_t site);
  void let_in(Instant now, std::size_t site);
  // Whether its policy has kept the site out from `then` until now.
  bool kept_out(std::size_t site, Instant then) const {
    return kept_out_.contains(site) && policy_since_ <= then;
  }

  bool alive() const { return gateway_ != nullptr; }
  std::uint32_t restarts() const { return std::max(starts_, 1U) - 1; }
  Instant deadline() const { return gateway_->deadline(); }
  gateway::Gateway& gateway() { return *gateway_; }
  const gateway::Gateway& gateway() const { return *gateway_; }
  MemoryStore& store() { return store_; }
  const std::string& error() const { return error_; }
  std::uint64_t turns() const { return turns_; }

  // A client of this site dials; its end of the rings. Alive only.
  local::Channel& accept(Instant now, std::uint64_t connection, const ClientDraw& client);
  // The client has closed or died; its ring is drained by the gateway.
  void hang_up(std::uint64_t connection);
  // True when the gateway has given this connection up, or died.
  bool has_dropped(std::uint64_t connection) const { return !links_.contains(connection); }
  // Nobody holds an end of a dropped connection any more.
  void bury() { graveyard_.clear(); }

  // Set by doorbells and by whoever wants this site to have a turn.
  bool awake = false;
  Instant turn_at = Instant::never();  // a turn that was promised
  // Dies at the so many-th crash point from now on; off when negative.
  std::int64_t crash_points = -1;
  bool crash_with_clients = false;
  Duration restart_after;
  // Which connections' doorbells rang for the client.
  std::map<std::uint64_t, bool> rung;

 private:
  template <class Action>
  Outcome guarded(Instant now, Action&& action);
  void take_finished();

  const Scenario& scenario_;
  std::size_t index_;
  std::multiset<std::size_t> kept_out_;
  Instant policy_since_;
  gateway::Config config_;
  MemoryStore store_;
  Random random_;
  WideArea& wide_area_;
  std::uint32_t counter_ = 0;  // durable
  std::uint32_t starts_ = 0;
  bool fresh_ = true;  // the store holds no state that was begun under `counter_`
  Incarnation incarnation_;
  std::map<std::uint64_t, std::unique_ptr<local::MemoryLink>> links_;
  std::vector<std::unique_ptr<local::MemoryLink>> graveyard_;  // dropped; a client may look at them
  std::unique_ptr<transport::Endpoint> endpoint_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::string error_;
  std::uint64_t turns_ = 0;
};

}  // namespace godwit::sim
