// When the changes of a topic are due: each by its publish's own deadline or by the topic's,
// whichever is earlier.
//
//   PublishBegin ─▶ due ─▶ on_commit ─▶ publishes on their way into P
//                                             │ on_merged(tile, up to publish b)
//                                             ▼
//                             each tile's earliest ─▶ queues of the lanes ─▶ header of a transfer
//
// It is an Instant all the way, the same at every site that the change goes to; a duration only
// where it crosses a process, in the client's record and in the header. Nothing of it is stored:
// what an earlier process took is due the topic's whole deadline after this one's start.
//
// Thread: the worker. Memory: 8 bytes a tile; nothing is allocated after the topic was opened.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/base/units.h"
#include "dataplane/ledger/types.h"

namespace godwit::gateway {

class Deadlines {
 public:
  // A committed publish; it merges in ascending order of its tiles.
  struct Publish {
    ledger::PublishNumber number;
    std::uint32_t first_tile = 0;
    std::uint32_t last_tile = 0;
    Instant due = Instant::never();
    std::uint32_t told_tile = 0;  // the last one that a round has told of
  };

  // `deadline` is the topic's, zero = none; `start` is when this process opened it.
  Deadlines(Instant start, Duration deadline, std::uint32_t tile_count);

  // The topic's deadline is another one, for what comes.
  void set_deadline(Duration deadline) { deadline_ = deadline; }
  // The same, before anything has come: forgets what was recovered, to be told of it again.
  void restart(Duration deadline);
  // Of a publish that begins now and brings `own`; zero = it brings none.
  Instant due(Instant now, Duration own) const;
  // Of what an earlier process took.
  Instant recovered() const { return due(start_, Duration::zero()); }
  // A tile has changes of an earlier process; a publish of one is on its way into P.
  void on_recovered(std::uint32_t tile) { tiles_.at(tile) = recovered(); }
  void on_recovered(ledger::PublishNumber merging);

  void on_commit(const Publish& publish);
  // Publishes up to activity.last changed the tile: when the earliest of them is due. The tiles of
  // one round of merging come in any order.
  Instant on_merged(Instant now, const ledger::TileActivity& activity);
  // A round is over: the publishes up to `merged` are in P, others up to the last tile told.
  void end_round(ledger::PublishNumber merged);

  // When the tile's changes are due of which a lane has none yet: the earliest that had not passed
  // when the last change came.
  Instant of_tile(std::uint32_t tile) const { return tiles_.at(tile); }

 private:
  Instant start_;
  Duration deadline_;
  std::vector<Publish> merging_;
  std::vector<Instant> tiles_;
};

}  // namespace godwit::gateway
