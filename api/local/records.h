// The records of the local channel as values: what they hold, how they are sent and read.
//
// SPEC.md beside this file states the bytes. Control records are Protobuf (api/proto/local.proto),
// everything that travels per publish or per transfer is binary. Every decoder is bounded: it
// accepts nothing longer, larger or more numerous than the limits below, and never reads past the
// record. A decoded record that holds spans or string views refers to the record's own bytes.
//
// A topic's handle is chosen by the client in Declare, so that records may follow at once. It
// stands for one shard of the topic: indices of elements are counted within it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/local/channel.h"
#include "api/local/names.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/base/sharding.h"
#include "dataplane/base/units.h"

namespace godwit::local {

// The versions of the records that this build speaks.
inline constexpr std::uint32_t kVersionMin = 1;
inline constexpr std::uint32_t kVersionMax = 1;

// Limits on what a record may say. All chosen: far above use, far below harm.
inline constexpr std::size_t kSitesMax = 64;        // sites in one list
inline constexpr std::size_t kTextBytesMax = 1024;  // a reason for a person
inline constexpr std::uint32_t kTopicsPerClientMax = 4096;
// Waits for clocks of one client at once. Chosen: a reader waits for one at a time.
inline constexpr std::size_t kWaitsMax = 64;
inline constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 40;
// Clocks count iterations, and one that is wrong would move the clock for ever. Chosen: nine years
// of a microsecond each.
inline constexpr std::uint64_t kClockMax = std::uint64_t{1} << 48;
inline constexpr std::size_t kLanesMax = 64;           // shards of a topic: lanes per subscriber
inline constexpr std::uint32_t kFractionBitsMax = 62;  // a quantum is 2^-62 at the finest

// No deadline is longer: a hundred days. Chosen.
inline constexpr double kToleranceMax = 1e6;  // topic's units; as a policy's
inline constexpr double kThresholdMax = 1e3;  // of a relative change; as a policy's
inline constexpr Duration kLongestDeadline = Duration::seconds(100.0 * 86400.0);

// A topic of one client: small integers from 0, chosen by the client.
enum class TopicHandle : std::uint32_t {
};

// Stable numbers of record types; client to gateway below 64.
enum class RecordType : std::uint16_t {
  kHello = 1,
  kDeclare = 2,
  kSeedChunk = 3,
  kPublishBegin = 4,
  kPublishData = 5,
  kPublishCommit = 6,
  kSubscribe = 7,
  kReceipt = 8,
  kTick = 9,
  kWaitClock = 10,
  kWatchCoverage = 11,
  kGoodbye = 12,

  kWelcome = 64,
  kDeclared = 65,
  kSafe = 66,
  kRefused = 67,
  kDuplicate = 68,
  kCovered = 69,
  kSubscribed = 70,
  kTransfer = 71,
  kClockReached = 72,
  kError = 73,
};

// ---- client to gateway ------------------------------------------------------------------------

// The first record of a client.
struct Hello {
  std::string client_name = {};  // for people and the access rules; may be empty
  PublisherId publisher = {};    // equal for all lives of a named client, random for an unnamed one
  Incarnation incarnation = {};  // of this process: publish numbers start at 1 in each
  std::uint32_t version_min = kVersionMin;
  std::uint32_t version_max = kVersionMax;
};

// What a change must reach before it is sent over the WAN.
struct SignificanceFilter {
  enum class Kind : std::uint8_t {
    kNone = 0,
    kRelative = 1
  };
  Kind kind = Kind::kNone;
  double threshold = 0.0;          // relative change |delta| / |current value|; e.g. 0.01
  bool decays_with_clock = false;  // threshold / sqrt(clock), as in Gaia (NSDI'17)
};

// Publishes that the process sent over an earlier connection and that were not answered. With it
// the gateway tells a publisher that it has never met from one that it has forgotten.
struct Unanswered {
  std::uint64_t until = 0;                 // greatest number
  Incarnation incarnation = {};            // Declared::incarnation of the connection
  std::uint64_t publishers_forgotten = 0;  // Declared::publishers_forgotten
  bool operator==(const Unanswered&) const = default;
};

// Opens a topic for this client. A topic that exists must be declared with equal shape and rules.
struct Declare {
  TopicHandle handle = {};
  std::string topic = {};                       // '/'-separated
  std::uint64_t element_count = 0;              // of the whole topic
  std::uint32_t fraction_bits = 40;             // quantum = 2^-fraction_bits
  double tolerance = 0.0;                       // absolute; what coverage may leave out
  std::string tenant = {};                      // empty: the gateway's default
  std::string service_class = {};               // empty: the gateway's default
  std::vector<std::string> allowed_sites = {};  // residency; empty: every site
  Duration deadline = Duration::zero();         // of each update; zero: none
  SignificanceFilter significance = {};
  bool has_seed = false;        // the client can send the initial values
  std::uint64_t seed_hash = 0;  // of the whole topic's; equal at every site that declares a seed
  // Set once this process has published to the topic: Declared::publisher_before of the answer that
  // came before its first publish. The gateway lets it take the place of that process alone.
  std::optional<Incarnation> replaces = {};
  std::optional<Unanswered> unanswered = {};
  // The handle's part of the topic. Elements in its records are counted within the shard.
  std::uint32_t shards = 1;  // as is_shard_count(); that each has a tile is the gateway's to check
  std::uint32_t shard = 0;   // [0, shards)
};

// Part of the seed, sent when Declared asks for it, in rising order without gaps.
struct SeedChunk {
  TopicHandle topic = {};
  std::uint64_t first = 0;
  std::span<const float> values = {};
};

// Starts a publish of [first, first + count). Its PublishData follow in rising order without gaps.
// Publishes of one topic do not interleave; those of different topics may.
struct PublishBegin {
  TopicHandle topic = {};
  std::uint64_t number = 0;  // 1, 2, … per topic and incarnation
  // >= 1 and rising; what is not above the publisher's last merged one is answered Duplicate
  std::optional<std::uint64_t> step = {};
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  Duration deadline = Duration::zero();  // remaining; zero: the topic's own
};

// Exactly one of the two spans is not empty.
struct PublishData {
  TopicHandle topic = {};
  std::uint64_t number = 0;
  std::uint64_t first = 0;                   // element of the first value
  std::span<const float> values = {};        // rounded by the gateway, half to even
  std::span<const std::int64_t> fixed = {};  // quanta
};

struct PublishCommit {
  TopicHandle topic = {};
  std::uint64_t number = 0;
};

// How far a subscriber has applied one lane (one shard of the topic).
struct LaneFrontier {
  std::uint16_t lane = 0;      // < kLanesMax
  std::uint64_t frontier = 0;  // transfers 1 … frontier are applied
};

// Asks for the topic's changes. `from` and `resume` are those of the last Subscribed and empty for
// a new subscriber, which receives everything.
struct Subscribe {
  TopicHandle topic = {};
  SubscriberId subscriber = {};  // unique in the process and topic
  Incarnation incarnation = {};  // of the subscriber's state: lost state, new incarnation
  Incarnation from = {};         // the gateway's, to which the frontiers belong
  std::vector<LaneFrontier> resume = {};
  bool may_be_refused = true;  // by Subscribed; clients before it are cut off
};

// Cumulative: transfers 1 … frontier of the lane are applied.
struct Receipt {
  TopicHandle topic = {};
  std::uint16_t lane = 0;
  std::uint64_t frontier = 0;
};

// The client has finished iteration `clock`; publishes before it in the ring belong to it.
struct Tick {
  TopicHandle topic = {};
  std::uint64_t clock = 0;
};

// Answered by ClockReached when every site's clock is >= min_clock and its changes are delivered
// to this client, or at the deadline.
struct WaitClock {
  TopicHandle topic = {};
  std::uint64_t request = 0;
  std::uint64_t min_clock = 0;
  Duration deadline = Duration::zero();  // remaining
};

// From now on the gateway sends Covered of this topic.
struct WatchCoverage {
  TopicHandle topic = {};
};

// The client closes on purpose: nothing of it is unsafe, nothing will be resent.
struct Goodbye {};

// ---- gateway to client ------------------------------------------------------------------------

// Accepts a Hello. Nothing but Error comes before it.
struct Welcome {
  std::uint32_t version = kVersionMax;
  Incarnation gateway = {};             // of the gateway's state
  std::string site = {};                // where the gateway is
  std::vector<std::string> sites = {};  // all configured sites, with its own
  // Workers of the gateway, as is_shard_count(); 0: one, and it does not know shards.
  std::uint32_t workers = 0;
  std::uint32_t worker = 0;  // which of them answers, [0, workers)
};

// Answers Declare. `error` is empty when the topic is open.
struct Declared {
  TopicHandle handle = {};
  std::string error = {};
  Code code = Code::kOk;
  bool seed_wanted = false;             // send the SeedChunks
  std::uint64_t memory_bound = 0;       // bytes that the topic can take at this gateway at most
  std::vector<std::string> sites = {};  // that hold the topic, by declaration and policy; ours too
  Incarnation incarnation = {};         // of the topic's state; Safe and Covered count within one
  Incarnation publisher_before = {};    // who published last as this publisher; zero: nobody
  std::uint64_t publishers_forgotten = 0;  // how many have lost their place to another one
};

// The publish is merged and survives kill -9 of client and gateway.
struct Safe {
  TopicHandle topic = {};
  std::uint64_t number = 0;
  std::uint64_t accepted = 0;  // its number among all publishes of the topic at this site (b)
};

// Stands for "no single element".
inline constexpr std::uint64_t kNoElement = ~std::uint64_t{0};

// The publish changed nothing.
struct Refused {
  TopicHandle topic = {};
  std::uint64_t number = 0;
  Code code = Code::kRefused;
  std::uint64_t element = kNoElement;  // which value was not acceptable, if one is to blame
  std::string text = {};               // the value and the reason, for a person
};

// The publish's step is not above the last one that was merged; nothing was added.
struct Duplicate {
  TopicHandle topic = {};
  std::uint64_t number = 0;
};

// Every publish <= accepted is applied at the site within the topic's tolerance. Cumulative.
struct Covered {
  TopicHandle topic = {};
  SiteId site = {};
  std::uint64_t accepted = 0;
};

// Answers Subscribe. `resumed` means that the frontiers were taken over; otherwise the subscriber
// starts from zero (its sums as well) and all lanes start at transfer 1. With a code it has changed
// nothing: there is no subscription.
struct Subscribed {
  TopicHandle topic = {};
  Incarnation from = {};
  bool resumed = false;
  Code code = Code::kOk;
  std::string error = {};  // what was wrong and what to do
};

// One section of a transfer: values to add from element `first` on.
struct Section {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::uint8_t width = 8;                  // bytes per value: 1, 2, 4 or 8, signed
  std::span<const std::byte> values = {};  // count · width bytes, 8-aligned
};

// Transfer k of a lane, whole in one record: sections of quanta to add. k rises by one.
struct Transfer {
  TopicHandle topic = {};
  std::uint16_t lane = 0;
  std::uint16_t section_count = 0;
  std::uint64_t k = 0;
  std::span<const std::byte> sections = {};  // checked when decoded; read with SectionReader
};

// Walks the sections of a decoded transfer.
class SectionReader {
 public:
  explicit SectionReader(const Transfer& transfer)
      : bytes_(transfer.sections), left_(transfer.section_count) {}
  std::optional<Section> next();

 private:
  std::span<const std::byte> bytes_ = {};
  std::uint16_t left_;
};

// Widens a section's values; `out` must hold section.count values.
void widen(const Section& section, std::span<std::int64_t> out);

// Writes the body of a Transfer, each section at the smallest width that holds its values.
class TransferWriter {
 public:
  // `body` must be 8-aligned and hold at least the transfer's head (24 bytes).
  TransferWriter(std::span<std::byte> body, TopicHandle topic, std::uint16_t lane, std::uint64_t k);

  // False when the section does not fit; then nothing was written. values.size() in [1, 2^32).
  [[nodiscard]] bool add(std::uint64_t first, std::span<const std::int64_t> values);

  // The finished body, to be sent with RecordType::kTransfer.
  std::span<const std::byte> finish();
  std::uint16_t section_count() const { return section_count_; }

 private:
  std::span<std::byte> body_;
  std::size_t used_;
  std::uint16_t section_count_ = 0;
};

// Makes the finished body of a Transfer one of another handle.
void readdress_transfer(std::span<std::byte> body, TopicHandle topic);

// Answers WaitClock.
struct ClockReached {
  std::uint64_t request = 0;
  std::vector<std::string> missing = {};  // sites behind at the deadline; empty = reached
};

// The gateway closes the channel after this record, for this reason.
struct ErrorRecord {
  Code code = Code::kInvalid;
  std::string text = {};
};

// ---- sending and reading ----------------------------------------------------------------------

using ClientRecord = std::variant<Hello,
                                  Declare,
                                  SeedChunk,
                                  PublishBegin,
                                  PublishData,
                                  PublishCommit,
                                  Subscribe,
                                  Receipt,
                                  Tick,
                                  WaitClock,
                                  WatchCoverage,
                                  Goodbye>;
using GatewayRecord = std::variant<Welcome,
                                   Declared,
                                   Safe,
                                   Refused,
                                   Duplicate,
                                   Covered,
                                   Subscribed,
                                   Transfer,
                                   ClockReached,
                                   ErrorRecord>;

// Each sends one record; false as Channel::send(). Too long texts are cut.
[[nodiscard]] bool send(Channel& channel, const Hello& record);
[[nodiscard]] bool send(Channel& channel, const Declare& record);
[[nodiscard]] bool send(Channel& channel, const SeedChunk& record);
[[nodiscard]] bool send(Channel& channel, const PublishBegin& record);
[[nodiscard]] bool send(Channel& channel, const PublishData& record);
[[nodiscard]] bool send(Channel& channel, const PublishCommit& record);
[[nodiscard]] bool send(Channel& channel, const Subscribe& record);
[[nodiscard]] bool send(Channel& channel, const Receipt& record);
[[nodiscard]] bool send(Channel& channel, const Tick& record);
[[nodiscard]] bool send(Channel& channel, const WaitClock& record);
[[nodiscard]] bool send(Channel& channel, const WatchCoverage& record);
[[nodiscard]] bool send(Channel& channel, const Goodbye& record);

[[nodiscard]] bool send(Channel& channel, const Welcome& record);
[[nodiscard]] bool send(Channel& channel, const Declared& record);
[[nodiscard]] bool send(Channel& channel, const Safe& record);
[[nodiscard]] bool send(Channel& channel, const Refused& record);
[[nodiscard]] bool send(Channel& channel, const Duplicate& record);
[[nodiscard]] bool send(Channel& channel, const Covered& record);
[[nodiscard]] bool send(Channel& channel, const Subscribed& record);
[[nodiscard]] bool send(Channel& channel, const ClockReached& record);
[[nodiscard]] bool send(Channel& channel, const ErrorRecord& record);
// A transfer is sent as the bytes that TransferWriter::finish() gave, now or after a restart.
[[nodiscard]] bool send_transfer(Channel& channel, std::span<const std::byte> body);

// Reads a record; an unknown type is kUnsupported, bytes that break SPEC.md are kCorrupt. The
// reader of a channel answers either with Channel::break_with().
Result<ClientRecord> decode_client_record(const RecordView& view);
Result<GatewayRecord> decode_gateway_record(const RecordView& view);

}  // namespace godwit::local
