// What the parts of a gateway share: configuration, topics, peers, clocks and the coder.
//
//     door (clients) ─▶ ledger ─▶ egress ─▶ transport ═▶ ... ═▶ ingress ─▶ ledger ─▶ deliver ─▶
//     clients
//                          └──────────── exchange: announcements, receipts, clocks ────────────┘
//
// Thread: the worker owns all of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/gateway/coder.h"
#include "api/gateway/config.h"
#include "api/gateway/peer.h"
#include "api/gateway/store.h"
#include "api/gateway/topic.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/random.h"
#include "dataplane/base/result.h"
#include "scheduler/clocks/clock_table.h"
#include "scheduler/clocks/staleness.h"

namespace godwit::gateway {

// Why a client was cut off; the order is that of the metric's label values.
enum class ClientRefusal : std::uint8_t {
  kProtocol,
  kLimit,
  kVersion,
  kOther
};
inline constexpr std::size_t kClientRefusals = 4;

// What a client is refused while it stays; the order is that of the metric's label values.
enum class ClientRequest : std::uint8_t {
  kTopic,
  kSubscription
};
inline constexpr std::size_t kClientRequests = 2;

// Counts of the whole gateway that belong to no peer or topic.
struct CoreCounters {
  std::uint64_t turns = 0;
  std::uint64_t topics_recovered = 0;                            // state of an earlier process
  std::array<std::uint64_t, kClientRefusals> clients_refused{};  // by ClientRefusal
  std::array<std::uint64_t, kClientRequests> client_requests_refused{};  // by ClientRequest
};

// A client's process that has greeted and has not ended.
struct PresentClient {
  Incarnation incarnation;
  bool leaves = false;  // its connection has ended, and something may be left in its ring
};

// The topic's lanes to and from a peer; nothing when another connection carries the shard, or
// neither end has told the other of the topic.
inline PeerLanes* lanes_between(Topic& topic, const Peer& peer) {
  const auto at = topic.peers().find(peer.site().id);
  return at != topic.peers().end() && peer.carries(topic.spec().id) ? &at->second : nullptr;
}
inline const PeerLanes* lanes_between(const Topic& topic, const Peer& peer) {
  return lanes_between(const_cast<Topic&>(topic), peer);
}

struct Core {
  // `index` is this worker's, of the configuration's many; `measure` reads the thread's processor
  // time, for what encoding costs; the simulator's stands still.
  Core(const Config& configuration,
       Store& storage,
       Incarnation life,
       Random& randomness,
       std::function<Instant()> measure,
       std::uint32_t index = 0)
      : config(configuration),
        worker(index),
        store(storage),
        incarnation(life),
        random(randomness),
        stopwatch(std::move(measure)),
        self(SiteId::of(configuration.site)),
        coder(stopwatch),
        waits(clocks) {}

  // The incarnation for a topic whose state is made now: of this gateway's counter, and never one
  // that an earlier state of the topic had, whose files may have been removed alone.
  Incarnation new_life() {
    const auto nonce = static_cast<std::uint32_t>(random.next());
    return GODWIT_MUTANT(kKeepIncarnation) ? incarnation : Incarnation{incarnation.counter, nonce};
  }

  // The worker that serves the shard.
  std::uint32_t worker_of(TopicShard id) const { return id.slot() % config.workers; }

  Topic* find_topic(TopicShard id) {
    const auto at = topics.find(id);
    return at == topics.end() ? nullptr : at->second.get();
  }
  Peer* find_peer(SiteId id, std::uint32_t connection = 0) {
    for (const auto& peer : peers) {
      if (peer->site().id == id && peer->connection() == connection) {
        return peer.get();
      }
    }
    return nullptr;
  }
  // One of the worker's peers of the site; each has some of the link's connections.
  Peer* find_any(SiteId id) { return find_peer(id, worker); }
  // What the shard has pending for a site, in the queue of the connection that carries it.
  scheduler::Residual residual(Instant now, const Topic& shard, SiteId site) const {
    for (const auto& peer : peers) {
      const PeerLanes* lanes = peer->site().id == site ? lanes_between(shard, *peer) : nullptr;
      if (lanes != nullptr && lanes->outgoing) {
        return peer->queue.residual(now, lanes->handle);
      }
    }
    return {};
  }
  // Whether no client was cut off for this reason before; beyond 64 reasons (chosen: their texts
  // may hold numbers) none is new. So that the log names each once, however many come.
  bool is_new_client_fault(const std::string& why) {
    return client_faults.size() < 64 && client_faults.insert(why).second;
  }
  std::uint64_t memory_used() const {
    std::uint64_t sum = 0;
    for (const auto& [id, topic] : topics) {
      sum += topic->memory_used();
    }
    return sum;
  }

  // The memory budget, in memory_budget.cc. kFull says what does not fit, and what to do.
  // Whether there is room for all shards of the topic that this worker serves and has yet to open:
  // then each of them is opened when it is declared, whoever declares what in between.
  Result<void> check_room(const TopicSpec& spec) const;
  // Whether the topic's bound may rise to `bound`.
  Result<void> check_budget(const Topic& topic, std::uint64_t bound, std::string_view whom) const;
  // What the shards of the topic that this worker serves and has yet to open may come to use.
  Result<std::uint64_t> bound_of_unopened(TopicSpec spec) const;
  // What the open topics may come to use, with their shards that are yet to be opened but for those
  // of `opening`.
  std::uint64_t memory_promised(std::optional<TopicId> opening = {}) const;

  const Config& config;
  std::uint32_t worker;
  Store& store;
  Incarnation incarnation;
  Random& random;
  std::function<Instant()> stopwatch;
  SiteId self;
  Coder coder;
  ledger::Workspace workspace{coder};
  std::map<TopicShard, std::unique_ptr<Topic>> topics;  // shards of one topic are neighbours
  std::vector<std::unique_ptr<Peer>> peers;  // by site, in the order of their names, and connection
  scheduler::ClockTable clocks;
  scheduler::StalenessWaits waits;
  CoreCounters counters;
  // Clients that have greeted, by publisher and in the order in which they came.
  std::map<std::pair<PublisherId, std::uint64_t>, PresentClient> present;
  std::uint64_t client_sessions = 0;    // ever begun
  std::set<std::string> client_faults;  // the first reasons why clients were cut off
  // Storage was short somewhere in this turn: what waits for it is tried again soon.
  bool short_of_storage = false;
};

}  // namespace godwit::gateway
