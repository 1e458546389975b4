// Everything that a seed decides before time begins: sites, links, topics, clients and faults.
//
// Each seed draws its own mix ("swarm"): most kinds of faults are off in most runs, so that those
// that are on meet each other often. `describe` prints the whole of it.
//
// Thread: any; a Scenario is a value.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/gateway/config.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/base/units.h"

namespace godwit::sim {

// 1: sessions are simulated. 2: sessions are QUIC with TLS over simulated datagrams.
enum class Level : std::uint8_t {
  kStub = 1,
  kQuic = 2,
};

// The first ones take part.
inline constexpr std::array<std::string_view, 8> kSiteNames = {
    "ams", "bom", "cdg", "dub", "ewr", "fra", "gru", "hnd"};

struct RunOptions {
  std::uint64_t seed = 1;
  Level level = Level::kStub;
  Mutant mutant = Mutant::kNone;
  std::size_t sites = 3;
};

// One direction between two sites.
struct LinkDraw {
  Duration delay;
  BitRate rate;
  Duration jitter;  // of transfers (level 1) or datagrams (level 2): they overtake each other
  double loss = 0;  // of datagrams; level 2 only
};

struct TopicDraw {
  std::string name;
  std::uint64_t element_count = 1;
  std::uint32_t shards = 1;
  std::uint32_t fraction_bits = 0;
  std::uint64_t tolerance_quanta = 0;
  double significance = 0;
  bool significance_decays = false;
  Duration deadline;
  bool has_seed = false;
  std::vector<std::size_t> allowed;  // indices of sites; empty: all
};

enum class Restarted : std::uint8_t {
  kRepeats,  // a trainer with a checkpoint: publishes again what it does not know to be safe
  kGoesOn,   // goes on with the next step; what was on its way is in wholly or not at all
};

struct ClientDraw {
  std::size_t site = 0;
  std::size_t topic = 0;
  bool publishes = false;
  bool subscribes = false;
  bool named = false;  // else every life is a new publisher
  bool steps = false;  // numbers its steps (named only)
  bool ticks = false;  // waits for clocks (publishes and subscribes)
  bool fixed = true;   // publishes integers, else floats
  bool non_negative = false;
  std::uint64_t staleness = 0;  // clocks that it may be ahead of the others
  Restarted restarted = Restarted::kRepeats;
  std::uint64_t repeats_safe = 0;  // safe steps that a restarted life publishes again
  std::uint64_t publishes_max = 0;
  std::uint64_t unsafe_max = 1;  // publishes that it lets be unsafe at once
  Duration period;               // mean time between publishes
  double dense = 0;              // probability that a publish covers a long range
  std::uint64_t magnitude = 1;   // of the integers
  std::size_t to_gateway_bytes = 0;
  std::size_t to_client_bytes = 0;
};

enum class FaultKind : std::uint8_t {
  kCut,          // nothing passes from `a` to `b` (and back, if symmetric) for `lasts`
  kBreak,        // the session of `a` and `b` ends
  kCrash,        // site `a` dies at its `points`-th crash point from then on
  kKill,         // site `a` dies between two turns
  kLose,         // as kKill, and its state is lost
  kClientCrash,  // client `a` dies
  kClientLeave,  // client `a` ends in good order when nothing is unsafe, and comes again
  kStall,        // client `a` reads nothing for `lasts`
  kFull,         // storage of site `a` holds `points` granules more than now, for `lasts`
  kNarrow,       // site `a` starts anew with a policy that keeps the first topic from `b`
  kSlow,         // the link from `a` to `b` gets the rate of kSlowRate for `lasts`
};

struct Fault {
  FaultKind kind = FaultKind::kCut;
  Instant at;
  std::size_t a = 0;
  std::size_t b = 0;
  bool symmetric = true;
  bool with_clients = false;  // the site's clients die in the same instant
  bool files_alone = false;   // the topics' files are lost, the incarnation's is not
  std::int64_t points = 0;
  Duration lasts;  // for crashes: until the restart
};

// One transfer is as a sender with broken memory would send it.
enum class Forgery : std::uint8_t {
  kNone,
  kHistory,  // it contradicts the sum of its lane
  kContent,  // its integers are not those of its checksum
};

struct Scenario {
  RunOptions options;
  std::vector<std::string> sites;
  std::vector<LinkDraw> links;  // [from * sites + to]
  std::vector<TopicDraw> topics;
  std::vector<ClientDraw> clients;
  std::vector<Fault> faults;  // in the order of time
  double replay = 0;          // probability that a transfer comes again, in whatever session is up
  Duration silence;           // after which a cut session ends, at least
  std::uint32_t window = 0;   // unreceipted transfers of a lane; 0: the product's
  // Such a run has no other faults and ends when the receiver has noticed.
  Forgery forgery = Forgery::kNone;
  Instant begin;
  Instant heal;  // all faults end, nobody publishes any more

  std::size_t site_count() const { return sites.size(); }
  const LinkDraw& link(std::size_t from, std::size_t to) const {
    return links[from * sites.size() + to];
  }
  bool may_hold(const TopicDraw& topic, std::size_t site) const;
  bool has(FaultKind kind) const;
};

inline constexpr BitRate kSlowRate = BitRate::bps(64'000);

Scenario draw_scenario(const RunOptions& options);
std::string describe(const Scenario& scenario);
// The configuration of one site, as a daemon would have read it; `kept_out` are sites that may not
// hold the first topic by its policy of the moment.
gateway::Config make_config(const Scenario& scenario,
                            std::size_t site,
                            const std::multiset<std::size_t>& kept_out);

std::string_view name(Mutant mutant);
// The command that repeats a run.
std::string command(const RunOptions& options);

}  // namespace godwit::sim
