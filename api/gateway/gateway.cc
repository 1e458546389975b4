#include "api/gateway/gateway.h"

#include <algorithm>
#include <set>

#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// Blocks merged per topic and turn, 10 µs each: a turn must stay short, links wait for it.
constexpr std::uint32_t kMergeBlocksPerTurn = 32;
constexpr std::size_t kActivityPerPoll = 256;
// The scrubber recomputes the checksums of so many blocks of each topic this often at most: 1,600
// blocks a second, 2 % of a core (measured: 12 µs a block), a pass over 1 M elements with three
// lanes a second. It wakes nobody: an idle gateway's few turns do some 70 blocks a second. A busy
// one, whose turns follow each other, does its share at least so often.
constexpr std::uint32_t kAuditBlocks = 8;
constexpr Duration kAuditPeriod = Duration::ms(5);
constexpr Duration kAuditOverdue = Duration::ms(50);
// After a restart, clients have so long to come back before the lanes of subscribers and the
// inboxes of unnamed publishers are closed. Chosen: a client reconnects within a second.
constexpr Duration kClientGrace = Duration::seconds(30);
// And those who ticked so long before this site's clock goes on without them. Chosen: readers at
// every site may wait for it.
constexpr Duration kTickerGrace = Duration::seconds(10);
// Nobody tells when a full file system has room again. Chosen: a stall that nobody notices.
constexpr Duration kStorageRetry = Duration::ms(50);

}  // namespace

Gateway::Gateway(Instant now,
                 const Config& config,
                 const WorkerPlace& place,
                 Store& store,
                 Incarnation incarnation,
                 transport::Endpoint& endpoint,
                 Random& random,
                 std::function<Instant()> stopwatch)
    : core_(config, store, incarnation, random, std::move(stopwatch), place.index),
      endpoint_(endpoint),
      exchange_(core_),
      ingress_(core_, exchange_),
      egress_(core_),
      links_(core_, endpoint, exchange_, ingress_),
      activity_(kActivityPerPoll) {
  std::vector<transport::PeerConfig> known;
  for (const auto& site : config.sites) {
    if (site.name == config.site) {
      continue;
    }
    const LinkConfig* link = config.find_link(config.site, site.name);
    const std::uint32_t connections = link != nullptr ? link->connections : 1;
    for (std::uint32_t connection = place.index; connection < connections;
         connection += config.workers) {
      core_.peers.push_back(std::make_unique<Peer>(config, site, connection, random, now));
      core_.peers.back()->share_cap(place.caps != nullptr ? place.caps->find(link) : nullptr);
    }
    for (std::size_t path = 0; path < site.endpoints.size(); ++path) {
      known.push_back(core_.peers.back()->transport_config(path));
    }
  }
  endpoint.configure(std::move(known));
}

Result<std::unique_ptr<Gateway>> Gateway::open(Instant now,
                                               const Config& config,
                                               Store& store,
                                               Incarnation incarnation,
                                               transport::Endpoint& endpoint,
                                               Random& random,
                                               std::function<Instant()> stopwatch,
                                               const WorkerPlace& place) {
  std::unique_ptr<Gateway> gateway(
      new Gateway(now, config, place, store, incarnation, endpoint, random, std::move(stopwatch)));
  if (auto recovered = gateway->recover(now); !recovered) {
    return Failure(recovered.error());
  }
  return gateway;
}

Result<void> Gateway::recover(Instant now) {
  const auto descriptions = core_.store.descriptions();
  if (!descriptions) {
    return Failure(descriptions.error());
  }
  for (const auto& description : *descriptions) {
    auto topic = Topic::recover(now, description, core_.store, core_.new_life(), core_.workspace);
    if (!topic) {
      return Failure(topic.error());
    }
    if (!(*topic)->spec().may_hold(core_.config.site) ||
        !core_.config.may_hold((*topic)->spec().name, core_.config.site)) {
      return fail(Code::kRefused,
                  "topic {}: its state is here and the policy no longer allows it at {}; restore "
                  "the policy, or remove the topic's files",
                  (*topic)->spec().name,
                  core_.config.site);
    }
    (*topic)->apply_policy(core_.config);
    for (const std::string& site : (*topic)->barred_sites()) {
      log::warn(
          "topic {}: the policy \"{}\" no longer allows it at {}: nothing of it goes there or "
          "comes from there; what {} has stays, until its files there are removed",
          (*topic)->spec().name,
          core_.config.policy_for((*topic)->spec().name).match,
          site,
          site);
    }
    Topic& opened = *core_.topics.emplace((*topic)->spec().id, std::move(*topic)).first->second;
    if (opened.ledger().recovered()) {
      log::info(
          "topic {} is recovered: {} elements", opened.spec().name, opened.spec().element_count());
      ++core_.counters.topics_recovered;
    } else {
      log::warn(
          "topic {}: its sums are gone, it begins anew: the other sites send theirs again, and "
          "keep "
          "what was published here as detached",
          opened.spec().name);
    }
    exchange_.announce(now, opened);
  }
  return {};
}

void Gateway::attach_client(std::uint64_t id, local::Channel& channel, std::size_t ring_bytes) {
  clients_[id].session = std::make_unique<ClientSession>(core_, exchange_, channel, ring_bytes);
}

void Gateway::detach_client(std::uint64_t id) {
  const auto at = clients_.find(id);
  if (at != clients_.end()) {
    at->second.detached = true;
  }
}

std::vector<std::uint64_t> Gateway::take_finished_clients() {
  std::vector<std::uint64_t> taken;
  taken.swap(finished_);
  return taken;
}

bool Gateway::turn_clients(Instant now) {
  bool more = false;
  for (auto at = clients_.begin(); at != clients_.end();) {
    Client& client = at->second;
    const bool leaving = client.detached || client.session->finished();
    if (leaving && client.session->drain(now)) {
      finished_.push_back(at->first);
      at = clients_.erase(at);
      continue;
    }
    more = (leaving ? false : client.session->on_turn(now)) || leaving || more;
    ++at;
  }
  return more;
}

bool Gateway::merge_and_spread(Instant now) {
  bool more = false;
  for (auto& [id, topic] : core_.topics) {
    more = topic->ledger().merge_some(kMergeBlocksPerTurn) || more;
    for (std::size_t count = activity_.size(); count == activity_.size();) {
      count = topic->ledger().poll_activity(activity_);
      more = more || count > 0;  // subscribers and stalled publishers go on in another turn
      for (std::size_t i = 0; i < count; ++i) {
        egress_.on_changed(now, *topic, activity_[i]);
        for (auto& [client_id, client] : clients_) {
          client.session->on_changed(*topic, activity_[i].tile);
        }
      }
    }
    topic->deadlines().end_round(topic->ledger().merged_through());
  }
  return more;
}

bool Gateway::finish_waits(Instant now) {
  bool any = false;
  scheduler::StalenessWaits::Done done;
  while (core_.waits.poll_done(now, done)) {
    for (auto& [id, client] : clients_) {
      if (client.session->on_wait_done(done)) {
        any = true;
        break;
      }
    }
  }
  return any;
}

void Gateway::forget_lost_clients(Instant now) {
  if (now < clients_expire_) {
    return;
  }
  clients_expire_ = Instant::never();
  std::set<PublisherId> publishers;
  for (const auto& [client_id, client] : clients_) {
    publishers.insert(client.session->publisher());
  }
  for (auto& [id, topic] : core_.topics) {
    std::set<ledger::LaneIndex> wanted;
    for (const auto& [client_id, client] : clients_) {
      client.session->list_lanes(*topic, wanted);
    }
    for (const auto lane : topic->ledger().lanes()) {
      if (topic->ledger().lane(lane).key.kind == ledger::LaneKind::kSubscriber &&
          !wanted.contains(lane)) {
        topic->ledger().close_lane(lane);
      }
    }
    for (std::uint32_t i = 0; i < topic->ledger().shape().inboxes; ++i) {
      const ledger::InboxInfo inbox = topic->ledger().inbox(ledger::InboxIndex(i));
      if (inbox.open && inbox.kind == ledger::PublisherKind::kUnnamed &&
          !publishers.contains(inbox.publisher)) {
        topic->ledger().close_inbox(ledger::InboxIndex(i));
      }
    }
  }
}

void Gateway::give_up_tickers(Instant now) {
  if (now < tickers_expire_) {
    return;
  }
  tickers_expire_ = Instant::never();
  for (auto& [id, topic] : core_.topics) {
    if (topic->site_clock.give_up()) {
      log::warn("topic {}: its clock goes on without those who did not come back",
                topic->spec().name);
      static_cast<void>(topic->remember(core_.store));  // else they are given up once more
      exchange_.advance_clock(*topic);
    }
  }
}

bool Gateway::on_turn(Instant now) {
  if (++core_.counters.turns == 1) {  // nobody could come back while the state was recovered
    clients_expire_ = now + kClientGrace;
    tickers_expire_ = now + kTickerGrace;
  }
  core_.short_of_storage = false;
  endpoint_.receive(now);
  links_.on_turn(now);
  bool more = turn_clients(now);
  give_up_tickers(now);
  more = merge_and_spread(now) || more;
  more = finish_waits(now) || more;  // the answers leave with the clients' next turn
  forget_lost_clients(now);
  more = egress_.drain_quiet(now) || more;
  for (const auto& peer : core_.peers) {
    egress_.pump(now, *peer);
  }
  exchange_.flush(now);  // last: what was settled above may have moved coverage
  for (const auto& peer : core_.peers) {
    peer->flush(now);
    peer->measure(now);
  }
  endpoint_.transmit(now);
  for (const auto& peer : core_.peers) {
    // What was bound is on its way already: there may be room for the next.
    more = more || (peer->was_fed && peer->session != nullptr && peer->session->wants_transfer());
  }
  retry_at_ = core_.short_of_storage ? now + kStorageRetry : Instant::never();
  if (now >= (more ? audit_at_ + kAuditOverdue : audit_at_)) {
    audit_at_ = now + kAuditPeriod;
    for (auto& [id, topic] : core_.topics) {
      topic->ledger().audit(kAuditBlocks);
    }
  }
  return more;
}

Instant Gateway::deadline() const {
  Instant first = std::min({endpoint_.deadline(),
                            links_.deadline(),
                            exchange_.deadline(),
                            core_.waits.next_wakeup(),
                            clients_expire_,
                            tickers_expire_,
                            retry_at_});
  for (const auto& peer : core_.peers) {
    first = std::min(first, peer->control_ready_at());
    if (peer->state == PeerState::kUp) {
      first = std::min({first, peer->queue.next_wakeup(), peer->bulk_ready_at});
    }
  }
  for (const auto& [id, client] : clients_) {
    first = std::min(first, client.session->deadline());
  }
  return std::min(first, egress_.deadline());
}

bool Gateway::drained() const {
  for (const auto& [id, topic] : core_.topics) {
    const Topic& one = *topic;
    const auto lanes = lanes_to_sites(one);
    if (!std::all_of(lanes.begin(), lanes.end(), [&one](ledger::LaneIndex lane) {
          return one.ledger().drained(lane);
        })) {
      return false;
    }
  }
  return true;
}

std::vector<ledger::LaneIndex> Gateway::lanes_to_sites(const Topic& topic) const {
  std::vector<ledger::LaneIndex> lanes = topic.ledger().lanes();
  std::erase_if(lanes, [&](ledger::LaneIndex lane) {
    const ledger::LaneKey key = topic.ledger().lane(lane).key;
    return key.kind != ledger::LaneKind::kSite || topic.is_barred(lane) ||
           core_.config.find_site(SiteId(static_cast<std::uint32_t>(key.to))) == nullptr;
  });
  return lanes;
}

std::uint64_t Gateway::client_bytes_unread() const {
  std::uint64_t sum = 0;
  for (const auto& [id, client] : clients_) {
    sum += client.session->bytes_unread();
  }
  return sum;
}

void Gateway::list_client_refusals(
    const std::function<void(const std::string&, const Refusal&)>& visit) const {
  for (const auto& [id, client] : clients_) {
    client.session->list_refusals(visit);
  }
}

std::size_t Gateway::subscriber_count(const Topic& topic) const {
  std::set<ledger::LaneIndex> lanes;
  for (const auto& [id, client] : clients_) {
    client.session->list_lanes(topic, lanes);
  }
  return lanes.size();
}

}  // namespace godwit::gateway
