// Another site as this gateway deals with it: the link, the present session, and what waits for it.
// A link with several connections has a peer for each: a connection carries the shards of its
// slots, and shares the link's cap with the others.
//
//     kDown ──dial/accept──▶ kConnecting ──certificates──▶ kGreeting ──Hello──▶ kUp
//       ▲                        └──────────────┬──────────────┴────────────────┘
//       └───────────────────────────── closed ──┘       (the site with the smaller name dials)
//
// While the link is up a second session may greet beside the first and take its place; then the
// first is read a little longer (links_renewal.cc).
//
// Thread: the worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/gateway/capabilities.h"
#include "api/gateway/config.h"
#include "api/gateway/control_outbox.h"
#include "api/gateway/rate_meter.h"
#include "api/gateway/topic.h"
#include "api/proto/control.pb.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/redial.h"
#include "dataplane/transport/session.h"
#include "scheduler/queue/link_queue.h"

namespace godwit::gateway {

enum class PeerState : std::uint8_t {
  kDown,        // no session; dialled again by the redial policy
  kConnecting,  // the handshake is under way
  kGreeting,    // certificates are proven, Hello is not exchanged
  kUp,          // both Hellos were exchanged
};

// What the transport counted on a link over all sessions.
struct LinkTotals {
  std::uint64_t sent = 0;  // bytes, layer 3: payload, control, headers and repeats
  std::uint64_t received = 0;
  std::uint64_t packets_lost = 0;
  std::uint64_t probe_timeouts = 0;
  std::uint64_t key_updates = 0;
  std::uint64_t black_holes = 0;
  Duration held_by_cap = Duration::zero();         // something waited for the operator's rate
  Duration held_by_congestion = Duration::zero();  // or for what the path takes

  LinkTotals& operator+=(const LinkTotals& other);
};

// One outgoing lane as the peer's queue names it.
struct QueuedLane {
  Topic* topic = nullptr;
  ledger::LaneIndex lane;
};

struct PeerCounters {
  std::uint64_t transfers_sent = 0;  // first sendings
  std::uint64_t transfers_resent = 0;
  std::uint64_t transfers_received = 0;
  std::uint64_t transfers_duplicate = 0;
  std::uint64_t transfers_corrupt = 0;  // refused, nothing applied
  std::uint64_t transfers_stray = 0;    // of no open lane, or forbidden here
  std::uint64_t transfers_dropped = 0;  // for want of storage; they come again
  std::uint64_t coded_bytes_sent = 0;
  std::uint64_t handshakes = 0;    // that reached kUp
  std::uint64_t refused = 0;       // sessions that ended by certificate or site
  std::uint64_t path_changes = 0;  // times that it came up on another path than before

  PeerCounters& operator+=(const PeerCounters& other);
};

// What a peer says, as a person may see it: at most 1,024 bytes, printable ASCII, the others as
// '?'.
std::string printable(std::string_view text);

// 1, 10, 100 and so on: what happens again and again is told in so few lines.
bool is_milestone(std::uint64_t count);

// A topic that a peer announced and we do not take, on the present session.
struct RefusedTopic {
  std::string name;
  Refusal refusal;  // ours, with our words
};

// Second sessions that we dialled to take over an up link, and that failed, since the last one that
// did or since the link was down.
struct FailedRenewal {
  std::map<transport::CloseReason, std::uint64_t> attempts;
  std::string text;  // why the last one failed
  Instant since;     // the first one

  std::uint64_t count() const;
};

// A way to the other site. The endpoints of the two sites are paired by their places in the lists:
// the first with the first, and so on; the shorter list is repeated. The first path is preferred.
struct LinkPath {
  port::Peer local;   // without a host where this site has one endpoint, or none of that family
  port::Peer remote;  // of its first worker
};

// A link that is up on another path than its first.
struct Detour {
  Instant since;
  Instant next_try;            // of the first path, by the site that dials
  std::uint64_t attempts = 0;  // of these, those that failed
  std::string text;            // why the last one did
};

class Peer {
 public:
  // `connection` is one of the link's; 0 where no link is configured.
  Peer(const Config& config,
       const SiteConfig& site,
       std::uint32_t connection,
       Random& random,
       Instant now);

  // Other workers send on the link, too.
  void share_cap(transport::SharedCap* cap) { shared_cap_ = cap; }

  const SiteConfig& site() const { return site_; }
  const LinkConfig* link() const { return link_; }
  std::uint32_t connection() const { return connection_; }
  std::uint32_t connections() const { return link_ != nullptr ? link_->connections : 1; }
  bool carries(TopicShard id) const { return id.slot() % connections() == connection_; }
  // The site, and the connection where there are several: "fra", "fra/2".
  std::string label() const;
  bool dials() const { return dials_; }
  const std::vector<LinkPath>& paths() const { return paths_; }
  // The one between these ends; the first where none is.
  std::size_t path_between(const port::Peer& local, const port::Peer& remote) const;
  // What a person sees of a path: "2 of 2, from 192.0.2.7 to 198.51.100.7:7443".
  std::string path_text(std::size_t which) const;
  // The endpoints of a path as they are configured, own and peer's.
  const std::string& own_endpoint(std::size_t which) const;
  const std::string& peer_endpoint(std::size_t which) const;
  // The worker there that the next attempt goes to.
  std::uint32_t worker_to_ask() const;
  // For a dial over that path.
  transport::PeerConfig transport_config(std::size_t which) const;
  // The round trip that the next session on the present path is begun with; zero = unknown.
  Duration rtt_expected() const { return rtt_expected(path); }
  Duration rtt_expected(std::size_t which) const;
  // What the connection can take: its equal part of what the worker has of the cap's usable share,
  // or of what the path carries if that is less.
  BitRate rate() const;
  // The equal part of the cap's usable share, which the connection has whatever others do;
  // unlimited() without a cap.
  BitRate due() const;
  // One way, half of the round trip: what is sent now arrives that much later. Zero = unknown.
  Duration delay() const;
  // Since the gateway's start, over all sessions.
  LinkTotals totals() const;
  // Over about the last second.
  BitRate sent_rate(Instant now) const { return sent_.rate(now, totals().sent); }
  BitRate received_rate(Instant now) const { return received_.rate(now, totals().received); }
  // Looks at the totals from time to time, for the rates.
  void measure(Instant now);

  // Queues a control message; it leaves ahead of all transfers, within control's share.
  void send(const control::ControlMessage& message) { outbox_.push(message); }
  // Hands queued control messages to the session.
  void flush(Instant now);
  // More answers wait than the peer can have read: the session must end.
  bool overrun() const { return outbox_.overrun(); }
  // When a queued control message may leave without a new event.
  Instant control_ready_at() const { return outbox_.ready_at(); }

  // The queue's handle for an outgoing lane; made at the first call.
  std::uint32_t handle_for(Topic& topic, ledger::LaneIndex lane);
  QueuedLane& queued(std::uint32_t handle) { return queued_.at(handle); }

  void on_state(Instant now, PeerState next);
  void on_no_storage(Instant now);
  // Something that came on this session was dropped.
  bool lacks_storage() const { return storage_retry != Instant::never(); }
  // Counts an attempt that failed, and says so the first time that it fails for this reason.
  void on_failed_attempt(std::string_view reason, std::string_view text);
  std::uint64_t failed_attempts() const;
  // The same of a second session that was to take over.
  void on_failed_renewal(Instant now, transport::CloseReason reason, std::string_view text);

  PeerState state = PeerState::kDown;
  Instant state_since;  // since it came up, or was up last
  transport::Session* session = nullptr;
  transport::Session* successor = nullptr;  // greets, to take the session's place
  transport::Identity successor_identity;   // empty until it is established
  std::string successor_certificate;        // the one that we show in it
  bool successor_dialled = false;           // by us
  std::size_t successor_path = 0;           // index in paths(), as all of them
  transport::Session* retiring = nullptr;   // was replaced; what it still brings is taken
  Instant retires_at;
  FailedRenewal renewal;        // of the link that is up
  std::string own_certificate;  // SHA-256 of the one that we show in the session; empty: unknown
  bool was_fed = false;         // the last pump handed its session a transfer
  Instant bulk_ready_at = Instant::never();  // when bulk, which waits, may go; never() = none does
  // Something that came found no storage and was dropped. The session ends then, because what was
  // not taken is sent again in the next one; until then it serves everything else.
  Instant storage_retry = Instant::never();
  transport::Identity identity;  // of the last session that was established
  // By path, the least of the last session that was up there; zero = none was.
  std::array<Duration, kEndpointsMax> rtt_measured{};
  std::size_t path = 0;                // of the session; without one: of the next attempt
  std::optional<std::size_t> path_up;  // on which the link was up last
  std::optional<Detour> detour;
  std::string last_error;   // why the last session ended; empty = none did
  std::string last_reason;  // the same as a stable id
  // Attempts that failed since a session was up last, by that id.
  std::map<std::string, std::uint64_t> failures;
  // Workers of the gateway there, as its last Hello said. A connection is dialled at its worker's
  // port, and now and then at the first's, which is there however many there are.
  std::uint32_t workers_there = 1;
  std::uint32_t asked_worker = 0;  // which of them the present session, or attempt, was dialled at
  std::string software;            // from its Hello
  std::string gateway_id;
  std::uint64_t incarnation = 0;                           // packed, from its Hello
  Capabilities capabilities;                               // the same
  std::map<TopicShard, control::TopicAnnounce> announced;  // by the peer, on the present session
  std::map<TopicShard, RefusedTopic> refused_topics;       // at most Exchange::kAnnouncedMax
  // Refusals of topics by us and by the peer, by the metric's label.
  std::map<std::string_view, std::uint64_t> topics_refused_here;
  std::map<std::string_view, std::uint64_t> topics_refused_there;
  transport::Redial redial;
  Instant renews_at;  // at the earliest, when our certificate in the session is not the present one
  scheduler::LinkQueue queue;
  PeerCounters counters;
  std::map<std::string, std::uint64_t> closed_by_reason;  // ends of sessions, by stable id

  // The session, or the one that was replaced, has ended: its counts stay in the totals.
  void keep_totals(const transport::Session& over);
  // Forgets what was said on the session: another one begins.
  void forget_session();

 private:
  const SiteConfig& own_;
  const SiteConfig& site_;
  const LinkConfig* link_;
  std::vector<LinkPath> paths_;
  std::uint32_t connection_;
  transport::SharedCap* shared_cap_ = nullptr;
  std::uint32_t workers_;  // of this gateway
  bool dials_;
  ControlOutbox outbox_;
  LinkTotals totals_before_;  // of the sessions that have ended
  RateMeter sent_;
  RateMeter received_;
  std::vector<QueuedLane> queued_;
  std::optional<Instant> short_at_;  // when it found no storage last
  Duration storage_wait_;            // from then to storage_retry
};

}  // namespace godwit::gateway
