#include "tests/sim/site_actor.h"

#include <algorithm>

#include "dataplane/base/crash_point.h"

namespace godwit::sim {

SiteActor::SiteActor(const Scenario& scenario,
                     std::size_t index,
                     std::uint64_t seed,
                     WideArea& wide_area)
    : scenario_(scenario),
      index_(index),
      config_(make_config(scenario, index, {})),
      random_(seed),
      wide_area_(wide_area) {}

template <class Action>
SiteActor::Outcome SiteActor::guarded(Instant now, Action&& action) {
  CrashPlan& plan = crash_plan();
  plan.points_left = crash_points;
  try {
    const Outcome outcome = action();
    crash_points = plan.points_left;
    plan.points_left = -1;
    return outcome;
  } catch (const SimulatedCrash&) {
    plan.points_left = -1;
    crash_points = -1;
    kill(now);
    return Outcome::kCrashed;
  }
}

SiteActor::Outcome SiteActor::start(Instant now) {
  if (fresh_) {
    ++counter_;
    incarnation_ = {counter_, static_cast<std::uint32_t>(random_.next())};
    fresh_ = false;
  }
  ++starts_;
  endpoint_ = wide_area_.open(index_);
  awake = true;
  return guarded(now, [&] {
    auto opened = gateway::Gateway::open(
        now, config_, store_, incarnation_, *endpoint_, random_, [] { return Instant(); });
    if (!opened) {
      error_ = opened.error().message;
      endpoint_.reset();
      return Outcome::kRefused;
    }
    gateway_ = std::move(*opened);
    return Outcome::kQuiet;
  });
}

SiteActor::Outcome SiteActor::turn(Instant now) {
  ++turns_;
  return guarded(now, [&] {
    const bool more = gateway_->on_turn(now);
    take_finished();
    return more ? Outcome::kMore : Outcome::kQuiet;
  });
}

void SiteActor::take_finished() {
  for (const std::uint64_t connection : gateway_->take_finished_clients()) {
    const auto at = links_.find(connection);
    if (at != links_.end()) {
      graveyard_.push_back(std::move(at->second));
      links_.erase(at);
    }
    rung[connection] = true;  // the client notices that it was dropped
  }
}

void SiteActor::kill(Instant now) {
  gateway_.reset();
  endpoint_.reset();
  for (auto& [connection, link] : links_) {
    graveyard_.push_back(std::move(link));
  }
  links_.clear();
  rung.clear();
  awake = false;
  turn_at = Instant::never();
  wide_area_.on_crash(now, index_);
}

void SiteActor::lose(Instant now, bool files_alone) {
  if (alive()) {
    kill(now);
  }
  store_.lose();
  fresh_ = fresh_ || (!files_alone && !GODWIT_MUTANT(kKeepIncarnation));
}

void SiteActor::keep_out(Instant now, std::size_t site) {
  policy_since_ = now;
  kept_out_.insert(site);
  config_ = make_config(scenario_, index_, kept_out_);
}

void SiteActor::let_in(Instant now, std::size_t site) {
  policy_since_ = now;
  kept_out_.extract(site);
  config_ = make_config(scenario_, index_, kept_out_);
}

local::Channel& SiteActor::accept(Instant now, std::uint64_t connection, const ClientDraw& client) {
  static_cast<void>(now);
  local::MemoryLinkOptions options;
  options.to_gateway_bytes = client.to_gateway_bytes;
  options.to_client_bytes = client.to_client_bytes;
  options.wake_gateway = [this] { awake = true; };
  options.wake_client = [this, connection] { rung[connection] = true; };
  auto link = std::make_unique<local::MemoryLink>(options);
  local::Channel& end = link->client_end();
  gateway_->attach_client(connection, link->gateway_end(), client.to_client_bytes);
  links_[connection] = std::move(link);
  awake = true;
  return end;
}

void SiteActor::hang_up(std::uint64_t connection) {
  if (alive()) {
    gateway_->detach_client(connection);
    awake = true;
  }
}

}  // namespace godwit::sim
