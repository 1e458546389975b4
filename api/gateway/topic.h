// One shard of a topic at this worker: what was declared, its ledger, and where its lanes lead.
//
// Shards of a topic know nothing of one another: each has its own sums, publish numbers, coverage
// and clock. Clients put them together, and reports do.
//
// Thread: the worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/gateway/config.h"
#include "api/gateway/deadlines.h"
#include "api/gateway/site_clock.h"
#include "api/gateway/store.h"
#include "api/local/records.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/base/sharding.h"
#include "dataplane/base/topic_shard.h"
#include "dataplane/base/units.h"
#include "dataplane/ledger/ledger.h"
#include "scheduler/filter/significance.h"
#include "scheduler/queue/key.h"

namespace godwit::gateway {

// Why a publish was refused at the door; the order is that of the metric's label values.
enum class PublishRefusal : std::uint8_t {
  kNotFinite,   // a value is NaN or infinite
  kOutOfRange,  // a value, or the sum with it, is beyond the topic's range
  kShape,       // its elements are not within the topic
  kNoMemory,    // the budget holds no further publisher of the topic
  kOther,
};
inline constexpr std::size_t kPublishRefusals = 5;

// What a declaration and the policies of the configuration make of a topic's shard together.
struct TopicSpec {
  std::string name;
  TopicShard id;
  Sharding sharding;                 // of the whole topic
  std::uint32_t fraction_bits = 40;  // a quantum is 2^-fraction_bits
  double tolerance = 0;              // absolute, in the topic's units
  std::string tenant;
  scheduler::Class traffic_class = scheduler::Class::kNormal;
  bool class_is_named = false;  // by the client; else the policy's, or normal
  // Sorted, each once; empty = every configured site. The client's as far as the policy allows, or
  // the policy's.
  std::vector<std::string> allowed_sites;
  bool sites_are_named = false;          // by the client
  Duration deadline = Duration::zero();  // of each update; zero = none
  double significance = 0;               // relative threshold; 0 = no filter
  bool significance_decays = false;
  bool has_seed = false;
  std::uint64_t seed_hash = 0;

  // Of this shard; its elements are numbered from 0.
  std::uint64_t element_count() const { return sharding.elements(id.shard); }
  bool may_hold(std::string_view site) const;
  std::uint64_t tolerance_quanta() const;
};

// By its name; nothing when there is none of this name.
std::optional<scheduler::Class> class_of(std::string_view name);

// Merges a client's declaration with the configuration. kRefused: this site may not hold the
// topic, or the declaration wants more sites than the policy allows.
Result<TopicSpec> make_spec(const local::Declare& declare, const Config& config);

// One end of a link does not take a topic; until its rules or the other's change nothing of it
// moves between them.
struct Refusal {
  std::string_view reason;  // stable id, "topic.residency" and so on
  std::string text;         // the words of who refuses
  Instant since;
};

// The lanes between this gateway and one peer for one topic.
struct PeerLanes {
  Incarnation peer_incarnation;  // of the topic's state there; zero = not announced yet
  std::optional<ledger::LaneIndex> outgoing;
  std::optional<ledger::IncomingIndex> incoming;
  std::uint32_t handle = 0;        // of the outgoing lane in the peer's queue
  bool announced = false;          // we announced the topic on the present session
  bool open = false;               // LaneAccept came on the present session: data may be sent
  std::uint64_t resend_after = 0;  // unreceipted transfers up to here were sent on this session
  std::uint64_t resend_until = 0;  // those above were first sent on this session
  std::optional<Refusal> refusal;  // the peer's last one on the present session
  Instant receipt_due = Instant::never();
  // Of unreceipted transfers, k at k % kWindowMax; empty without a lane.
  struct Unreceipted {
    Instant due;
    Instant sent;  // last; or found when this process began
  };
  std::vector<Unreceipted> unreceipted;

  std::uint64_t coverage_told = 0;  // last coverage the peer was told of, in any message
  std::uint64_t told_coverage = 0;  // last coverage the peer told us of by a message,
  std::uint64_t told_at_k = 0;      // good once its transfers up to this are applied
};

class Topic {
 public:
  // Local ones at once; beside them there is a lane for every other site. Chosen: a parameter
  // server and its spectators, many times over.
  static constexpr std::uint32_t kSubscribersMax = 24;

  // Makes the topic's state, or opens what is there under the same name. kInvalid names what
  // differs. `life` becomes the incarnation of a state that is made, and must be new; one that is
  // there keeps its own. Whether the budget holds it is Core::check_room to say.
  static Result<std::unique_ptr<Topic>> open(Instant now,
                                             const TopicSpec& spec,
                                             const Config& config,
                                             Store& store,
                                             Incarnation life,
                                             ledger::Workspace& workspace);
  // What open() will make takes at most; an error where there can be no such shard.
  static Result<std::uint64_t> bound_when_made(const TopicSpec& spec, const Config& config);
  // Opens a topic by its stored description, after a restart. One whose sums are gone begins anew,
  // under `life` and without its seed.
  static Result<std::unique_ptr<Topic>> recover(Instant now,
                                                const std::string& description,
                                                Store& store,
                                                Incarnation life,
                                                ledger::Workspace& workspace);

  const TopicSpec& spec() const { return spec_; }
  ledger::Ledger& ledger() { return *ledger_; }
  const ledger::Ledger& ledger() const { return *ledger_; }
  std::map<SiteId, PeerLanes>& peers() { return peers_; }
  const std::map<SiteId, PeerLanes>& peers() const { return peers_; }
  scheduler::SignificanceThreshold& threshold() { return threshold_; }
  Deadlines& deadlines() { return deadlines_; }
  double quanta_per_unit() const;

  // The publish number up to which a peer has everything for certain; 0 without a lane.
  std::uint64_t covered_at(const PeerLanes& lanes) const;

  // What the topic takes now: its storage, what it works with, and what serves its subscribers.
  std::uint64_t memory_used() const;
  // What it may come to take: with a lane to every peer, and with its subscribers and publishers,
  // at least one of each; then with one more of them.
  std::uint64_t memory_bound() const;
  std::uint64_t memory_bound_with_subscriber() const;
  std::uint64_t memory_bound_with_publisher() const;

  // Holds the recovered topic to the configuration's rules, at once. Its sites are the policy's, or
  // those of the named ones that the policy allows; class, deadline and significance are those of
  // the policy where it names them. What was declared stays written, so that a rule may be taken
  // back.
  void apply_policy(const Config& config);
  // Sites that were to hold the topic and may not any more; their lanes stand still.
  const std::vector<std::string>& barred_sites() const { return barred_sites_; }
  // The lane to one of them, if there is one: the site was sent something before.
  std::optional<ledger::LaneIndex> barred_lane(std::string_view site) const;
  bool is_barred(ledger::LaneIndex lane) const;

  // Whether a second declaration means the same topic; the message names the difference. Who names
  // no tenant, class, deadline or significance takes what there is, and so does who `comes_back`: a
  // process that published before the gateway started is not sent away because another one has
  // named them first since.
  Result<void> check_same(const TopicSpec& other, bool comes_back) const;
  // Takes the class, deadline and significance of a declaration that means the same, where nobody
  // has named one since the topic was opened. True: what is to be remembered has changed.
  bool adopt(const TopicSpec& other);

  // The seed is written in rising order, by several clients at once if they like; complete when
  // `first + values.size()` reaches the end.
  Result<void> write_seed(Store& store, std::uint64_t first, std::span<const float> values);
  // Writes the description again: who ticks has changed.
  Result<void> remember(Store& store) const { return store.describe(spec_.id, describe()); }
  // Tiles whose change was wholly insignificant when it was last read, a count.
  std::uint64_t withheld_tiles() const { return withheld_count_; }
  void note_withheld(std::uint32_t tile, bool is_withheld);
  bool seed_complete() const { return !spec_.has_seed || seed_complete_; }

  // The significance of a client's publishes; see DESIGN: coverage. Updated by the door.
  std::array<std::uint64_t, kPublishRefusals> refused{};  // refused at the door, since the start
  std::uint64_t not_remembered = 0;                       // times that remember() failed
  std::uint64_t duplicates = 0;                           // publishes answered `duplicate`, a count
  std::map<ledger::LaneIndex, const void*> subscribers;   // connected ones: lane and session
  SiteClock site_clock;                       // who ticks here, and how far they all are
  std::uint64_t clock = 0;                    // of this site, as it was told; never back
  std::uint64_t clock_number = 0;             // publish number that belongs to it
  Instant changed_at = Instant::from_ns(0);   // the last merge or apply
  std::optional<std::uint32_t> drain_cursor;  // next tile to be offered for exact draining

 private:
  Topic(Instant now, TopicSpec spec, const ledger::Shape& shape);
  Result<void> attach(Store& store, Incarnation life, ledger::Workspace& workspace);
  std::string describe() const;
  void note_recovered();
  void set_significance(double threshold, bool decays);

  TopicSpec spec_;
  bool deadline_is_named_ = false;      // by the policy or a client, since the topic was opened;
  bool significance_is_named_ = false;  // the same
  TopicSpec declared_;  // as it was made, and as clients have named since: before the policy
  std::vector<std::string> barred_sites_;
  ledger::Shape shape_;
  Deadlines deadlines_;
  bool seed_complete_ = false;
  std::uint64_t seed_next_ = 0;
  std::unique_ptr<ledger::Ledger> ledger_;
  scheduler::SignificanceThreshold threshold_;
  std::vector<bool> is_withheld_;  // by tile
  std::uint64_t withheld_count_ = 0;
  std::map<SiteId, PeerLanes> peers_;
};

}  // namespace godwit::gateway
