// Exact sums of one topic shard at one gateway, with lanes to and from its peers; survives kill -9.
//
// All state lies in one Mapping at fixed offsets; every change is one atomic step through the redo
// slot, so a process may die between any two instructions and `attach` finds a consistent whole.
// Publishes are staged, committed (safe from then on) and merged block by block; what is pending
// for a lane is computed as P - S (or P + R - S); coded pieces of it are frozen into numbered
// transfers; transfers of peers are applied to R exactly once. README.md tells the life of an
// update.
//
// Thread: one worker owns the ledger and its mapping.
// Memory: nothing is allocated after attach; storage is reserved before it is touched, and kFull is
// the answer when there is none: nothing has changed then, try again later.
// Time: none. Errors of the caller's own logic are assertions, bytes from outside are Results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/ledger/types.h"
#include "dataplane/ledger/workspace.h"
#include "dataplane/memory/mapping.h"
#include "dataplane/wire/transfer.h"

namespace godwit::ledger {

struct State;  // the parts that the .cc files share

// Whether a publisher comes again after it has left.
enum class PublisherKind : std::uint8_t {
  kNamed,    // in another life, under its name: what step it has published is kept for ever
  kUnnamed,  // never: once it has left, nothing of it need be known
};

struct InboxInfo {
  PublisherId publisher;
  PublisherKind kind = PublisherKind::kNamed;
  bool open = false;
  Incarnation incarnation;
  std::uint64_t last_number = 0;  // every publish <= it is safe
  std::uint64_t last_step = 0;
  PublishNumber last_publish;  // the topic-wide number of the last committed publish
  bool merging = false;        // committed and not yet merged to the end
};

// What a receipt achieved.
struct Receipted {
  std::uint64_t frontier = 0;
  PublishNumber coverage;   // every change <= it is applied at the receiver, but for remainders
  std::uint64_t bytes = 0;  // of the newly receipted transfers
  std::span<const std::uint64_t> newly;  // their numbers k, ascending; valid until the next call
};

struct LaneInfo {
  LaneKey key;
  PublisherId own_publisher;  // as open_lane was told
  std::uint64_t next_k = 1;
  std::uint64_t frontier = 0;     // receipted without gap
  std::uint32_t unreceipted = 0;  // sealed and not receipted, by window too
  std::uint64_t unreceipted_bytes = 0;
  std::uint64_t ring_bytes = 0;       // in use, building included
  std::uint64_t checksum_frozen = 0;  // cumulative of transfers 1..next_k-1
  PublishNumber coverage;             // of what is sealed
  PublishNumber coverage_receipted;   // of what is applied at the receiver
  bool quarantined = false;           // a receipt contradicted the checksums; needs an operator
};

struct IncomingInfo {
  SiteId from;
  Incarnation from_incarnation;
  std::uint64_t frontier = 0;
  std::uint64_t checksum_applied = 0;  // of everything applied, beyond the frontier too
  std::uint64_t coverage = 0;          // in the sender's publish numbers
  PublishNumber coverage_at;  // own number of the change by which that coverage was reached
  bool quarantined = false;
};

// Masses are sums of |integers| in quanta: exact sums are compared by checksum, masses are for
// people, so a double will do.
struct Conservation {
  std::uint64_t defects = 0;       // identities found broken since attach; must be 0
  std::uint64_t scrub_passes = 0;  // complete recomputations from memory since attach
  double published = 0;            // of all committed publishes
  double sent = 0;                 // frozen for peers, all lanes
  double in_flight = 0;            // of transfers frozen and beyond the receivers' frontiers
  double applied = 0;              // from peers
  double open = 0;                 // |P - S| of all open lanes, exact as of the last scrub pass
  double detached = 0;             // applied from senders whose state was lost
  std::uint64_t detached_checksum = 0;
  std::uint64_t checksum_published = 0;  // c(P) when everything is merged
  std::uint64_t checksum_applied = 0;    // c(R)
};

// For whom a ledger keeps storage.
struct Occupancy {
  std::uint32_t site_lanes = 0;
  std::uint32_t subscriber_lanes = 0;
  std::uint32_t lane_slots = 0;  // ever taken: the tables of a closed lane stay
  std::uint32_t inboxes = 0;     // but those that are closed and have nothing left to merge
};

class Ledger {
 public:
  // Opens the state in `mapping` (of layout_bytes(shape)), creating it in a fresh one. Finishes
  // what a killed process left: the redo slot, a half-applied transfer (which is decoded), a
  // partly built transfer (sealed as it is). Half-merged publishes are left to merge_some. A fresh
  // ledger takes `incarnation` and keeps it; an existing one keeps its own. kUnsupported: another
  // layout version; kInvalid: another shape (the message names the field). Neither changes a byte.
  static Result<std::unique_ptr<Ledger>> attach(memory::Mapping& mapping,
                                                const Shape& shape,
                                                Incarnation incarnation,
                                                Workspace& workspace);
  // Whether `mapping` holds a ledger's state, sound or not; where it does not, attach makes one.
  static Result<bool> exists(memory::Mapping& mapping);
  ~Ledger();

  const Shape& shape() const;
  Incarnation incarnation() const;  // of this state; the `from` and `to` incarnation of its lanes
  bool recovered() const;           // attach found existing state

  // --- publishers -------------------------------------------------------------------------------
  // Resumes the slot of `publisher` or takes a free one (also the longest closed one, but never
  // that of a named publisher which has published a step). Another incarnation restarts the numbers
  // but keeps the last step; kRefused where it is to replace a certain one and that one does not
  // hold the slot: a process that comes back to a later one's place would publish twice what it was
  // not answered. kFull: there is no such slot.
  Result<InboxIndex> open_inbox(PublisherId publisher,
                                Incarnation incarnation,
                                PublisherKind kind = PublisherKind::kNamed,
                                std::optional<Incarnation> replaces = {});
  // The publisher has left, and everything that it published is safe: its staging is given back.
  // Its slot may be reused, and its numbers are then forgotten; a named one's last step never is.
  void close_inbox(InboxIndex inbox);
  // The slot that the publisher has now; none while it is closed.
  std::optional<InboxIndex> find_inbox(PublisherId publisher) const;
  // The process that published last as `publisher`, also one that has left; zero: none is known.
  Incarnation last_process(PublisherId publisher) const;
  // How many publishers have lost their slot to another one.
  std::uint64_t publishers_forgotten() const;
  InboxInfo inbox(InboxIndex inbox) const;

  // Begins (or begins anew, dropping what was staged) a publish. Must be answered by stage calls
  // that cover the range in ascending order when kFresh.
  Result<Begin> begin_publish(InboxIndex inbox, const PublishRequest& request);
  // The next values of the range; `element` must follow the last staged one.
  Result<void> stage(InboxIndex inbox, std::uint64_t element, std::span<const std::int64_t> values);
  // Makes the publish safe: one atomic step. kRefused names the element that would exceed the
  // head-room, and puts it into `beyond`; nothing of the publish is kept then.
  Result<PublishNumber> commit_publish(InboxIndex inbox, BeyondRange* beyond = nullptr);
  void abandon_publish(InboxIndex inbox);
  // Merges up to `blocks_max` blocks of committed publishes into P, in the order of their numbers.
  // Returns whether work remains.
  bool merge_some(std::uint32_t blocks_max);
  PublishNumber last_publish() const;        // the greatest number given out
  std::uint64_t publishes() const;           // committed since the state began, over all processes
  std::uint64_t elements_published() const;  // of those
  PublishNumber merged_through() const;      // every change <= it is in P or R

  // What changed since the last poll, each tile at most once for P and once for R; how many were
  // written to `out`.
  std::size_t poll_activity(std::span<TileActivity> out);

  // --- outgoing lanes ---------------------------------------------------------------------------
  // Resumes the lane to `key.to`, or starts it: at S = 0 and k = 1 when `to` is new here or has a
  // new incarnation. An older incarnation counter of a site is kRefused; kUnsupported: the shape
  // has no lane left; kFull: no storage.
  Result<LaneIndex> open_lane(const LaneKey& key, const LaneOptions& options = {});
  // Drops the lane's state for ever (an operator's act, or a subscriber that left).
  void close_lane(LaneIndex lane);
  std::vector<LaneIndex> lanes() const;  // the open ones, also after attach
  LaneInfo lane(LaneIndex lane) const;

  bool touched(std::uint32_t tile) const;  // P or R ever changed there
  bool dirty(LaneIndex lane, std::uint32_t tile) const;
  // What is open in a tile: kTileElements integers, saturated to the range of int64.
  void read_open(LaneIndex lane, std::uint32_t tile, std::span<std::int64_t> out) const;
  OpenMeasure measure_open(LaneIndex lane, std::uint32_t tile) const;
  // Looks whether more than the tolerance is open; if not, the tile counts as clean from now on.
  // For tiles whose changes cancelled out, which no transfer will ever clean.
  bool settle(LaneIndex lane, std::uint32_t tile);
  // P + R of a tile: what this site knows of the sum; without the seed.
  void read_sum(std::uint32_t tile, std::span<std::int64_t> out) const;

  // No room for another transfer: by number, or by ring bytes.
  bool window_full(LaneIndex lane) const;
  // So many transfers are on their way that it may be full, by number, before a receipt comes.
  bool window_half_full(LaneIndex lane) const;
  // Starts building the next transfer (or continues one that has no tile yet). kFull when the
  // window is.
  Result<void> begin_transfer(LaneIndex lane, const TransferFields& fields);
  // Where the next tile's coded bytes may be written in place; its size is what still fits.
  std::span<std::byte> coded_space(LaneIndex lane);
  // Freezes a piece of a tile: one atomic step. `coded` decodes to exactly `removed`; it may lie in
  // coded_space. `remainder_max` is the largest |open| left in the tile. A tile at most once per
  // transfer (kInvalid); kFull when it does not fit, then seal.
  Result<void> append(LaneIndex lane,
                      std::uint32_t tile,
                      std::uint8_t codec,
                      std::span<const std::byte> coded,
                      std::span<const std::int64_t> removed,
                      std::uint64_t remainder_max);
  std::uint32_t building_tiles(LaneIndex lane) const;
  // Whether the tile is in the transfer being built: it cannot be twice.
  bool is_building(LaneIndex lane, std::uint32_t tile) const;
  // Numbers what was built; returns k, from now on frozen(lane, k) may be sent. The header says
  // what is left of the earliest deadline of its tiles; without it, what begin_transfer was told,
  // as it does when a killed process left the transfer. kNotFound when no tile was appended.
  Result<std::uint64_t> seal(LaneIndex lane,
                             std::optional<std::uint32_t> remaining_deadline_ms = std::nullopt);

  // The bytes of a sealed transfer beyond the frontier; empty when k is not such.
  std::span<const std::byte> frozen(LaneIndex lane, std::uint64_t k) const;
  // The first unreceipted transfer > after; for sending again after a reconnect.
  std::optional<std::uint64_t> next_unreceipted(LaneIndex lane, std::uint64_t after = 0) const;
  // kCorrupt: the receiver's checksum contradicts ours (the lane is quarantined and reported), or
  // the receipt speaks of transfers never sent. An old receipt is harmless.
  Result<Receipted> on_receipt(LaneIndex lane, const Receipt& receipt);

  // Every change <= it is in sealed transfers but for remainders <= tolerance.
  PublishNumber coverage(LaneIndex lane) const;
  // Nothing open, nothing building, nothing unreceipted, nothing to merge.
  bool drained(LaneIndex lane) const;

  // --- incoming lanes ---------------------------------------------------------------------------
  // Resumes or starts the lane of a peer. A new incarnation of the peer starts a new lane and books
  // what the old one had applied as detached. `own` must be incarnation(); an older counter of the
  // peer is kRefused; kUnsupported and kFull as for open_lane.
  Result<IncomingIndex> open_incoming(SiteId from, Incarnation from_incarnation, Incarnation own);
  std::vector<IncomingIndex> incomings() const;
  IncomingInfo incoming(IncomingIndex incoming) const;
  // Applies a transfer exactly once. kCorrupt: header of another lane, undecodable, checksum not
  // that of the header or not continuing the lane's; nothing was applied.
  Result<Applied> apply(IncomingIndex incoming, const wire::TransferView& transfer);
  Receipt receipt(IncomingIndex incoming) const;
  // In the sender's publish numbers: all its changes <= this are in R, but for remainders.
  std::uint64_t coverage(IncomingIndex incoming) const;
  // The sender said: with transfers <= k applied, everything <= coverage is. For coverage that
  // moves without a transfer. False, and nothing happens, while the frontier is below k.
  bool on_coverage(IncomingIndex incoming, std::uint64_t k, std::uint64_t coverage);
  // The peer has left for ever: books what it sent as detached and frees the slot.
  void close_incoming(IncomingIndex incoming);

  // --- seed -------------------------------------------------------------------------------------
  Result<void> write_seed(std::uint64_t first, std::span<const float> values);
  // Zeros where none was written. kNotFound when the topic keeps no seed.
  Result<void> read_seed(std::uint32_t tile, std::span<float> out) const;

  // --- proof ------------------------------------------------------------------------------------
  // Recomputes up to `blocks_max` blocks' checksums from memory; a pass over everything ends in a
  // comparison with what the steps booked. Defects are counted and logged.
  void audit(std::uint32_t blocks_max);
  // Checks the bookkeeping identities now (no memory is read) and reports the masses.
  Conservation conservation();

  // What this ledger occupies, and at most will with its present lanes and inboxes.
  std::uint64_t bytes_used() const;
  std::uint64_t bytes_bound() const;
  Occupancy occupancy() const;

 private:
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Bytes of address space (and size of the sparse file) for `shape`, which must be valid.
std::uint64_t layout_bytes(const Shape& shape);
// The bytes that a topic's shard can occupy with so many lanes and publishers, for `declare`.
std::uint64_t storage_bound(const Shape& shape, const Occupancy& occupancy);
// The bytes of the process beside the mapping and the workspace that a ledger works with, taken
// when it is attached.
std::uint64_t work_bytes(const Shape& shape);
// kInvalid names the field that is out of range.
Result<void> check_shape(const Shape& shape);

}  // namespace godwit::ledger
