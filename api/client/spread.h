// A client's topics over the workers of its gateway, without a socket, a clock or a thread.
//
//                              ┌─ Core 0 ─▶ worker 0    shards 0, 4 of topic a
//   application ─▶ Spread ─────┼─ Core 1 ─▶ worker 1    shards 1, 5 of topic a, topic b
//     whole topics, elements   └─ Core N ─▶ worker N    ...
//     of the topic                 parts of topics, elements of the shard
//
// Worker 0 is connected first and says how many there are; each of the others has a connection of
// its own. When a restarted gateway has another number of workers, all connections are given up
// and the parts move to their new Cores with all that they hold.
//
// A topic of several shards is for the application still one topic: what its parts say is put
// together here. Of a topic with one shard all is handed through.
//
// Thread: one at a time. Time: every function that needs it takes `now` first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/client/client.h"
#include "api/client/core.h"
#include "api/client/room.h"
#include "api/client/ticket_book.h"

namespace godwit::client {

// A publish on its way into the outboxes: its part of each shard that it touches.
struct Split {
  struct Part {
    std::uint32_t shard = 0;
    Publish publish = {};
  };
  std::vector<Part> parts = {};  // shards rising
  std::size_t cost = 0;          // of all parts with their values
  std::string refusal = {};      // of fill(); the publish must change nothing
  // What fill() needs to know without the lock.
  std::uint64_t first = 0;  // element of the topic
  Sharding sharding = {};
  std::uint32_t fraction_bits = 0;
  std::int64_t magnitude_max = 0;  // of a value, in quanta
};

class Spread {
 public:
  explicit Spread(CoreOptions options);

  // ---- the connections, one for each worker ----
  // How many there should be; grows and shrinks in receive() and on_disconnected() only.
  std::uint32_t workers() const { return static_cast<std::uint32_t>(cores_.size()); }
  // As in Core.
  void on_connected(Instant now, std::uint32_t worker, local::Channel& channel);
  void on_disconnected(Instant now, std::uint32_t worker, std::string_view reason);
  void on_dial_failed(Instant now, std::uint32_t worker, std::string_view reason);
  Instant next_dial(std::uint32_t worker) const;
  std::string failure(Instant now, std::uint32_t worker) const;
  Instant next_wakeup(std::uint32_t worker) const { return cores_[worker]->next_wakeup(); }

  // ---- the turn, over all connections ----
  std::optional<Event> receive(Instant now);  // its topics are ours
  void pump(Instant now);

  // ---- topics ----
  // As in Core; is_ready() must have held once. `index` is what declare() answered.
  Result<std::uint32_t> declare(const TopicOptions& wanted);
  TopicState topic_state(std::uint32_t index) const;
  Error topic_error(std::uint32_t index) const;
  const TopicOptions& topic_options(std::uint32_t index) const { return topics_[index].options; }
  const Sharding& sharding(std::uint32_t index) const { return topics_[index].sharding; }
  std::uint64_t memory_bound(std::uint32_t index) const;
  bool is_failed(std::uint32_t index) const { return topic_state(index) == TopicState::kFailed; }
  // The gateway has no place for the subscription, or for a shard's; see Core.
  bool lacks_place(std::uint32_t index) const;

  // ---- publishing ----
  // kInvalid unless the step rises above that of every publish before it. A shard takes what is not
  // above the last step that it merged for a duplicate, and its changes would be lost.
  Result<void> check_step(std::uint32_t index, std::optional<std::uint64_t> step) const;
  // The parts of `whole`, which has no values yet and lies within the topic.
  Split split(std::uint32_t index, const Publish& whole) const;
  bool has_room(std::uint32_t index, const Split& split);
  bool fits_ever(const Split& split) const { return room_.has_ever(split.cost); }
  // Takes the room, has_room() must hold, and buffers for the values.
  void reserve(std::uint32_t index, Split& split);
  // Copies the values into their parts. Several shards could not refuse together a value that the
  // gateway does not take (not finite, or out of the topic's range), so it is found here. Needs no
  // lock.
  static void fill(std::span<const std::byte> values, Split& split);
  // The split must be reserved and filled. Returns the number of the publish, or what check_step()
  // says now: it is the order of these calls in which publishes are merged.
  Result<std::uint64_t> publish(std::uint32_t index, Split split);
  void tick(std::uint32_t index, std::uint64_t clock);
  std::uint64_t last_clock(std::uint32_t index) const;
  // Nothing while the publish is still on its way to the level. README.md has what the outcomes of
  // several parts make together.
  std::optional<Outcome> outcome(std::uint32_t index,
                                 std::uint64_t number,
                                 Level level,
                                 std::string_view site);
  std::string detail(std::uint32_t index, std::uint64_t number) const;
  std::size_t unsafe_count() const;  // parts

  // ---- subscribing ----
  Result<void> subscribe(std::uint32_t index, Subscription kind, bool keep_sum);
  bool has_pending(std::uint32_t index) const;
  // Nothing together with a restart: the application returns to the seed first.
  SumBlocks take_pending(std::uint32_t index, bool& restarted);
  void recycle(std::uint32_t index, SumBlocks blocks);
  // False without keep_sum.
  bool copy_sum(std::uint32_t index, std::uint64_t first, std::span<std::int64_t> out) const;

  // ---- clocks ----
  std::uint64_t start_wait(std::uint32_t index, std::uint64_t clock, Instant deadline);
  // Nothing while a shard has not answered. `missing` is the union.
  std::optional<ClockOutcome> take_wait(std::uint64_t request);
  void cancel_wait(std::uint64_t request);

  // ---- reports ----
  bool is_ready() const;  // every worker is connected and has said Welcome
  void leave(Instant now);
  const std::string& site() const { return cores_.front()->site(); }
  const std::vector<std::string>& sites() const { return cores_.front()->sites(); }
  ClientStats stats() const;

 private:
  // Where a part is: under which handle of which Core.
  struct Place {
    std::uint32_t worker = 0;
    std::uint32_t handle = 0;
  };
  // And back: what a handle stands for.
  struct PartOf {
    std::uint32_t topic = 0;
    std::uint32_t shard = 0;
  };
  struct Topic {
    TopicOptions options = {};  // without the seed
    Sharding sharding = {};
    std::uint64_t seed_hash = 0;
    std::vector<Place> places = {};  // by shard
    TicketBook book = {};            // of a topic with several shards
    std::uint64_t last_step = 0;     // of the publishes since it was declared; 0: none had one
  };
  struct ShardWait {
    std::uint64_t request = 0;  // of the Core
    std::optional<ClockOutcome> outcome = {};
  };
  struct Wait {
    std::uint32_t topic = 0;
    std::uint64_t clock = 0;
    Instant deadline = {};
    std::vector<ShardWait> shards = {};
  };

  Core& core_at(const Place& place) { return *cores_[place.worker]; }
  const Core& core_at(const Place& place) const { return *cores_[place.worker]; }
  std::uint32_t worker_of_shard(const Topic& topic, std::uint32_t shard) const;
  void open_again(std::uint32_t index);
  // The first shard of a topic is declared alone: what the gateway refuses of a topic that it has
  // it refuses there, and opens no other shards of.
  void open_held();
  // A topic's subscription takes its place in the first shard before it asks for the others: two
  // clients would else each hold some of the last places, for ever.
  void join_behind_first(std::uint32_t index);
  void admit_joining();
  // Whether a part is open, or may still be opened.
  bool has_open_part(const Topic& topic) const;
  // Connections are being given up, so that parts can move.
  bool is_moving() const { return workers_said_ != 0 && workers_said_ != cores_.size(); }

  void heed_welcome(Core& core);
  void heed_error(Core& core);
  void resize_cores();
  void move_parts();
  void put(std::uint32_t topic, std::uint32_t shard, Place place);
  std::optional<Event> ours(const Event& event);
  void restart_told(std::uint32_t index);
  // What has been answered to waits for clocks of the topic is true no longer.
  void ask_again(std::uint32_t index);
  void forget_old(Topic& topic);
  std::optional<Outcome> combined(const Topic& topic,
                                  const BookedPublish& publish,
                                  Level level,
                                  std::string_view site);

  CoreOptions options_;
  Room room_;
  std::vector<std::unique_ptr<Core>> cores_;  // by worker
  std::uint32_t workers_said_ = 0;            // by the gateway; 0: nothing yet. cores_ follow
  bool gateway_knows_shards_ = false;
  std::vector<std::vector<PartOf>> parts_;  // by worker and handle
  std::size_t turn_ = 0;                    // whose records are received
  std::optional<Event> handed_out_;         // by the last receive()
  std::vector<Topic> topics_;
  std::set<std::uint32_t> held_;     // topics of which the first shard is not open yet
  std::set<std::uint32_t> joining_;  // subscribed topics whose first shard has no place yet
  std::map<std::uint64_t, Wait> waits_;
  std::uint64_t next_request_ = 1;
  ClientStats gone_;  // of Cores that are no more, and what no Core has seen
  std::uint64_t publishes_ = 0;
  std::string last_error_;
};

}  // namespace godwit::client
