#include "api/gateway/peer.h"

#include <algorithm>

#include <fmt/format.h>

#include "dataplane/base/crash_point.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/shaper.h"

namespace godwit::gateway {
namespace {

// Before anything was measured on a link without a cap. Chosen: the transfers that are bound before
// the first round trip tells more keep a link of 1 Mbit/s for 100 ms.
constexpr BitRate kRateUnknown = BitRate::bps(10'000'000);

// Share of the worker for encoding, over all links. It bounds how shallow visits get, not how many
// bytes are sent. Measured: freezing, applying and delivering cost three times as much as encoding,
// so this is half of a worker for what links take in both directions.
constexpr double kEncodeShare = 0.12;

// Layer-3 and UDP headers of a datagram over IPv4, bytes: sessions count UDP payload.
constexpr std::uint64_t kHeaderBytes = 28;

// Every so many attempts that fail, the first worker is asked how many there are. Chosen: a peer
// that comes back with fewer is found within seconds.
constexpr std::uint64_t kAsksFirst = 4;

// Between two requests for what found no storage. Chosen: what waits is whole sums, and each
// request costs the link's other topics a handshake.
constexpr Duration kStorageWaitMin = Duration::seconds(1);
constexpr Duration kStorageWaitMax = Duration::seconds(16);
constexpr std::size_t kTextBytesMax = 1024;  // of a Refuse or a Goodbye, as control.proto says

void add(LinkTotals& totals, const transport::SessionStats& stats) {
  totals.sent += stats.bytes_sent + kHeaderBytes * stats.packets_sent;
  totals.received += stats.bytes_received + kHeaderBytes * stats.packets_received;
  totals.packets_lost += stats.packets_lost;
  totals.probe_timeouts += stats.probe_timeouts;
  totals.key_updates += stats.key_updates;
  totals.black_holes += stats.black_holes;
  totals.held_by_cap += stats.held_by_cap;
  totals.held_by_congestion += stats.held_by_congestion;
}

// What is no address, which a configuration cannot hold, is no end of a path.
std::vector<LinkPath> paths_between(const SiteConfig& own, const SiteConfig& other) {
  const auto endpoint = [](const SiteConfig& site, std::size_t i) {
    return port::Peer::parse(site.endpoints[i % site.endpoints.size()]).value_or(port::Peer());
  };
  std::vector<LinkPath> paths(std::max(own.endpoints.size(), other.endpoints.size()));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    paths[i].remote = endpoint(other, i);
    const port::Peer local = endpoint(own, i);
    if (own.endpoints.size() > 1 && local.is_v6() == paths[i].remote.is_v6()) {
      paths[i].local = local;
    }
  }
  return paths;
}

scheduler::LinkQueue::Options queue_options(const Config& config) {
  scheduler::LinkQueue::Options options;
  options.depth.cpu_share = kEncodeShare / static_cast<double>(config.sites.size() - 1);
  return options;
}

}  // namespace

LinkTotals& LinkTotals::operator+=(const LinkTotals& other) {
  sent += other.sent;
  received += other.received;
  packets_lost += other.packets_lost;
  probe_timeouts += other.probe_timeouts;
  key_updates += other.key_updates;
  black_holes += other.black_holes;
  held_by_cap = held_by_cap + other.held_by_cap;
  held_by_congestion = held_by_congestion + other.held_by_congestion;
  return *this;
}

PeerCounters& PeerCounters::operator+=(const PeerCounters& other) {
  transfers_sent += other.transfers_sent;
  transfers_resent += other.transfers_resent;
  transfers_received += other.transfers_received;
  transfers_duplicate += other.transfers_duplicate;
  transfers_corrupt += other.transfers_corrupt;
  transfers_stray += other.transfers_stray;
  transfers_dropped += other.transfers_dropped;
  coded_bytes_sent += other.coded_bytes_sent;
  handshakes += other.handshakes;
  refused += other.refused;
  path_changes += other.path_changes;
  return *this;
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, kTextBytesMax));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

bool is_milestone(std::uint64_t count) {
  while (count % 10 == 0 && count > 0) {
    count /= 10;
  }
  return count == 1;
}

Peer::Peer(const Config& config,
           const SiteConfig& site,
           std::uint32_t connection,
           Random& random,
           Instant now)
    : state_since(now),
      redial(random),
      queue(queue_options(config)),
      own_(*config.find_site(config.site)),
      site_(site),
      link_(config.find_link(config.site, site.name)),
      paths_(paths_between(own_, site_)),
      connection_(connection),
      workers_(config.workers),
      dials_(config.site < site.name),
      outbox_(now, rate()) {}

std::string Peer::label() const {
  return connections() == 1 ? site_.name : fmt::format("{}/{}", site_.name, connection_);
}

std::size_t Peer::path_between(const port::Peer& local, const port::Peer& remote) const {
  const auto find = [&](const auto& is_it) -> std::optional<std::size_t> {
    const auto at = std::find_if(paths_.begin(), paths_.end(), is_it);
    return at != paths_.end() ? std::optional(static_cast<std::size_t>(at - paths_.begin()))
                              : std::nullopt;
  };
  const auto is_there = [&](const LinkPath& one) { return one.remote.same_host(remote); };
  const auto is_here = [&](const LinkPath& one) {
    return one.local.has_host() && one.local.same_host(local);
  };
  const auto both = find([&](const LinkPath& one) {
    return is_there(one) && (!one.local.has_host() || is_here(one));
  });
  // Crossed: the other end's choice is the one that somebody made.
  const auto there = both ? both : find(is_there);
  return there.value_or(0);
}

const std::string& Peer::own_endpoint(std::size_t which) const {
  return own_.endpoints[which % own_.endpoints.size()];
}

const std::string& Peer::peer_endpoint(std::size_t which) const {
  return site_.endpoints[which % site_.endpoints.size()];
}

std::string Peer::path_text(std::size_t which) const {
  return fmt::format("{} of {}, from {} to {}",
                     which + 1,
                     paths_.size(),
                     own_endpoint(which),
                     peer_endpoint(which));
}

std::uint32_t Peer::worker_to_ask() const {
  // In one round over all paths, since nobody knows which of them carries.
  const std::uint64_t rounds = redial.failures_in_a_row() / paths_.size();
  const bool asks_first = rounds % kAsksFirst == kAsksFirst - 1;
  return asks_first ? 0 : connection_ % workers_there;
}

transport::PeerConfig Peer::transport_config(std::size_t which) const {
  transport::PeerConfig peer;
  peer.site = site_.name;
  const LinkPath& way = paths_[which];
  peer.address =
      way.remote.with_port(static_cast<std::uint16_t>(way.remote.udp_port() + worker_to_ask()));
  peer.local = way.local;
  peer.link = link_ != nullptr ? link_->name : site_.name;
  peer.cap = link_ != nullptr ? link_->cap : BitRate::unlimited();
  peer.shared_cap = shared_cap_;
  peer.rtt_expected = rtt_expected(which);
  if (link_ != nullptr && !link_->congestion.empty()) {
    peer.congestion = link_->congestion == "cubic" ? transport::CongestionControl::kCubic
                                                   : transport::CongestionControl::kBbr;
  }
  peer.yields = link_ != nullptr ? link_->yields : transport::Yields::kNothing;
  return peer;
}

Duration Peer::rtt_expected(std::size_t which) const {
  const Duration configured = link_ != nullptr ? link_->rtt : Duration::zero();
  return rtt_measured[which] > Duration::zero() ? rtt_measured[which] : configured;
}

BitRate Peer::due() const {
  const BitRate cap = link_ != nullptr ? link_->cap : BitRate::unlimited();
  return cap.is_unlimited()
             ? cap
             : BitRate::bps(transport::LinkShaper::usable(cap).bits_per_second() / connections());
}

BitRate Peer::rate() const {
  BitRate worker = session != nullptr ? session->stats().rate : BitRate();
  if (worker == BitRate()) {
    if (!due().is_unlimited()) {
      return due();
    }
    worker = kRateUnknown;
  }
  return BitRate::bps(worker.bits_per_second() * workers_ / connections());
}

Duration Peer::delay() const {
  const Duration measured = session != nullptr ? session->stats().rtt_smoothed : Duration::zero();
  return (measured > Duration::zero() ? measured : rtt_expected()) / 2;
}

LinkTotals Peer::totals() const {
  LinkTotals all = totals_before_;
  for (const transport::Session* one : {session, retiring}) {
    if (one != nullptr) {
      add(all, one->stats());
    }
  }
  return all;
}

void Peer::keep_totals(const transport::Session& over) {
  add(totals_before_, over.stats());
}

void Peer::forget_session() {
  outbox_.clear();
  announced.clear();
  storage_retry = Instant::never();
}

void Peer::measure(Instant now) {
  if (now >= sent_.next_step()) {
    const LinkTotals total = totals();
    sent_.on_total(now, total.sent);
    received_.on_total(now, total.received);
  }
}

void Peer::flush(Instant now) {
  if (session != nullptr && outbox_.waiting() > 0) {
    outbox_.flush(now, rate(), *session);
  }
}

std::uint32_t Peer::handle_for(Topic& topic, ledger::LaneIndex lane) {
  const auto same = [&](const QueuedLane& q) { return q.topic == &topic && q.lane == lane; };
  const auto at = std::find_if(queued_.begin(), queued_.end(), same);
  if (at != queued_.end()) {
    return static_cast<std::uint32_t>(at - queued_.begin());
  }
  queued_.push_back({&topic, lane});
  return static_cast<std::uint32_t>(queued_.size() - 1);
}

void Peer::on_failed_attempt(std::string_view reason, std::string_view text) {
  if (++failures[std::string(reason)] == 1) {
    log::warn("no session with {}: {} ({}); it is tried again, and counted", label(), text, reason);
  }
}

std::uint64_t Peer::failed_attempts() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : failures) {
    sum += count;
  }
  return sum;
}

std::uint64_t FailedRenewal::count() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : attempts) {
    sum += count;
  }
  return sum;
}

void Peer::on_failed_renewal(Instant now, transport::CloseReason reason, std::string_view text) {
  if (renewal.attempts.empty()) {
    renewal.since = now;
  }
  renewal.text = text;
  if (++renewal.attempts[reason] == 1) {
    log::warn(
        "no newer session with {}: {} ({}); the former one goes on, and it is tried again "
        "and counted",
        site_.name,
        text,
        transport::name(reason));
  }
}

void Peer::on_state(Instant now, PeerState next) {
  if (next == state) {
    return;
  }
  if (next == PeerState::kUp) {
    ++counters.handshakes;
    std::string before;
    for (const auto& [reason, count] : failures) {
      before +=
          fmt::format("{}{} {}", before.empty() ? "; attempts that failed: " : ", ", reason, count);
    }
    log::info("link to {} is up{}", label(), before);
    failures.clear();
  } else if (state == PeerState::kUp) {
    log::warn("link to {} is down: {}", label(), last_error);
  }
  if (next == PeerState::kDown) {
    renewal = {};
    forget_session();
  }
  if (next == PeerState::kUp || state == PeerState::kUp) {
    state_since = now;  // an attempt that fails does not shorten an outage
  }
  state = next;
}

void Peer::on_no_storage(Instant now) {
  if (lacks_storage() || GODWIT_MUTANT(kNeverAskAgain)) {
    return;
  }
  const bool again = short_at_ && now - *short_at_ < kStorageWaitMax * 2;
  storage_wait_ = again ? std::min(storage_wait_ * 2, kStorageWaitMax) : kStorageWaitMin;
  short_at_ = now;
  storage_retry = now + storage_wait_;
  log::warn(
      "link to {}: no storage for what comes; it is dropped, and asked for again when there is, in "
      "{:.0f} s at the earliest; free space in the state directory",
      label(),
      storage_wait_.to_seconds());
}

}  // namespace godwit::gateway
