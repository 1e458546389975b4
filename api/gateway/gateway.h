// One worker of a site's gateway, without any I/O of its own: the edges hand it packets, clients
// and the time.
//
//   daemon:  port ─ QuicEndpoint ─┐                     simulator:  plain endpoint ─┐
//            local::Server ───────┼─▶ Gateway             memory channels ──────────┼─▶ Gateway
//            FileStore ───────────┘                       memory store ─────────────┘
//
// A turn: receive → events → clients → merge → spread changes → deliver and send → transmit.
//
// Thread: the worker. Time: passed in; `deadline` says when the next turn is due.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "api/gateway/client_session.h"
#include "api/gateway/core.h"
#include "api/gateway/egress.h"
#include "api/gateway/exchange.h"
#include "api/gateway/ingress.h"
#include "api/gateway/link_caps.h"
#include "api/gateway/links.h"
#include "api/local/channel.h"
#include "dataplane/transport/endpoint.h"

namespace godwit::gateway {

class Gateway {
 public:
  // Opens every shard of the store. `place` is one of the configuration's. kCorrupt, kUnsupported:
  // something there cannot be trusted; nothing is changed. All references outlive the gateway.
  static Result<std::unique_ptr<Gateway>> open(Instant now,
                                               const Config& config,
                                               Store& store,
                                               Incarnation incarnation,
                                               transport::Endpoint& endpoint,
                                               Random& random,
                                               std::function<Instant()> stopwatch,
                                               const WorkerPlace& place = {});

  // A client has come. The channel outlives its client; `id` is the caller's.
  void attach_client(std::uint64_t id, local::Channel& channel, std::size_t ring_bytes);
  // The client has gone. True once everything complete in its ring was taken and the channel may
  // be given up; else the gateway goes on, ask again after the next turn.
  void detach_client(std::uint64_t id);
  // Clients that are wholly dealt with, or broke the rules: the caller gives their channels up.
  std::vector<std::uint64_t> take_finished_clients();

  // One turn. True when there is more to do at once.
  bool on_turn(Instant now);
  Instant deadline() const;
  // Says goodbye to peers; call on_turn once more to transmit it.
  void stop(Instant now) { links_.stop(now); }
  // Our certificate is another one now (SHA-256); sessions are replaced beside the running ones.
  void use_certificate(std::string sha256) { links_.use_certificate(std::move(sha256)); }
  // The gateway is about to stop and somebody waits for `drained`.
  void drain() { egress_.drain(); }
  // Nothing open, frozen or unmerged on any lane to a site, whether it is there or not.
  bool drained() const;
  // The topic's lanes to sites that may have it.
  std::vector<ledger::LaneIndex> lanes_to_sites(const Topic& topic) const;

  Core& core() { return core_; }
  const Core& core() const { return core_; }
  const Links& links() const { return links_; }
  transport::EndpointCounters endpoint_counters() const { return endpoint_.counters(); }
  std::size_t client_count() const { return clients_.size(); }
  std::uint64_t client_bytes_unread() const;  // in the rings to all clients
  std::size_t subscriber_count(const Topic& topic) const;
  // What clients that are there have been refused; see ClientSession.
  void list_client_refusals(
      const std::function<void(const std::string&, const Refusal&)>& visit) const;

 private:
  struct Client {
    std::unique_ptr<ClientSession> session;
    bool detached = false;
  };

  Gateway(Instant now,
          const Config& config,
          const WorkerPlace& place,
          Store& store,
          Incarnation incarnation,
          transport::Endpoint& endpoint,
          Random& random,
          std::function<Instant()> stopwatch);
  Result<void> recover(Instant now);
  bool turn_clients(Instant now);
  bool finish_waits(Instant now);
  bool merge_and_spread(Instant now);
  void forget_lost_clients(Instant now);
  void give_up_tickers(Instant now);

  Core core_;
  transport::Endpoint& endpoint_;
  Exchange exchange_;
  Ingress ingress_;
  Egress egress_;
  Links links_;
  std::map<std::uint64_t, Client> clients_;
  std::vector<std::uint64_t> finished_;
  std::vector<ledger::TileActivity> activity_;
  Instant clients_expire_ = Instant::never();  // who did not come back loses its lanes and inboxes
  Instant tickers_expire_ = Instant::never();  // when tickers that did not come back are given up
  Instant retry_at_ = Instant::never();        // storage was short; try again
  Instant audit_at_ = Instant::from_ns(0);     // the scrubber's next step
};

}  // namespace godwit::gateway
