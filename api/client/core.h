// The client's side of one connection, without a socket, a clock or a thread.
//
// It carries parts of topics: shards that belong to the worker at the other end, each under a
// handle of its own. Of a topic with one shard the part is the topic.
//
// The owner connects a channel, calls receive() until it returns nothing and pump() afterwards,
// whenever the channel's doorbell rang or the application did something. Everything that the
// application asks for is a state to be queried: whoever waits, waits outside.
//
//   application ─▶ declare publish tick wait ─▶ ┌──────┐ ─▶ pump() ─▶ channel ─▶ gateway
//   application ◀─ states, sums, deliveries ◀── │ Core │ ◀─ receive() ◀─ channel ◀─ gateway
//                                               └──────┘
//
// Thread: one at a time. Time: every function that needs it takes `now` first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/client/block_sums.h"
#include "api/client/client.h"
#include "api/client/declaration.h"
#include "api/client/outbox.h"
#include "api/client/room.h"
#include "api/client/topic_part.h"
#include "api/local/records.h"
#include "dataplane/base/random.h"

namespace godwit::client {

// Re-dial delays are drawn from [0, bound); the bound doubles from the first to the second value.
inline constexpr Duration kRedialMin =
    Duration::ms(20);  // chosen: a gateway restarts in tens of ms
inline constexpr Duration kRedialMax =
    Duration::seconds(1);  // the longest that anybody waits for it

struct CoreOptions {
  std::string name = {};
  PublisherId publisher = {};
  Incarnation incarnation = {};  // new in each process
  std::size_t unsafe_bytes_max = std::size_t{256} << 20;
  std::uint64_t seed = 0;  // for the jitter of reconnections
  // Which worker of the gateway is meant, and of how many; 0: whatever it has.
  std::uint32_t worker = 0;
  std::uint32_t workers = 0;
};

// A transfer for a callback, its elements counted in the shard. Its views are valid until the next
// receive().
struct Delivery {
  std::uint32_t topic = 0;
  std::uint32_t shard = 0;
  local::Transfer transfer = {};
};

// The gateway lost its state: this topic's changes come again from zero. Of a subscription with
// callbacks, once Core::restart_told().
struct Restart {
  std::uint32_t topic = 0;
};

using Event = std::variant<Delivery, Restart>;

class Core {
 public:
  // Alone, or with others that share the room for unsafe publishes.
  explicit Core(CoreOptions options);
  Core(CoreOptions options, Room& room);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // ---- the connection ----
  // The channel must stay until on_disconnected(). next_dial() says when to connect again.
  void on_connected(Instant now, local::Channel& channel);
  void on_disconnected(Instant now, std::string_view reason);
  void on_dial_failed(Instant now, std::string_view reason);
  Instant next_dial() const { return next_dial_; }
  // Why the owner must close the channel now; empty while all is well.
  std::string failure(Instant now) const;
  // When failure() may change without a record; never() mostly.
  Instant next_wakeup() const;
  // Makes failure() say `reason`, if there is a connection and nothing is wrong with it yet.
  void give_up(std::string reason);
  bool is_connected() const { return channel_ != nullptr; }
  // What went wrong since this was asked last, the newest of it; empty when nothing did.
  std::string take_error() { return std::exchange(new_error_, {}); }

  // ---- workers ----
  // The number of workers that a Welcome has said since this was asked last. When it or the worker
  // is another one than expected, the connection is given up before anything is declared on it.
  std::optional<std::uint32_t> take_said_workers() { return std::exchange(said_workers_, {}); }
  void expect_workers(std::uint32_t workers) { options_.workers = workers; }
  // Hands over all parts, by handle; only without a connection, and with no wait for a clock.
  std::vector<std::unique_ptr<TopicPart>> take_parts();
  // Takes over a part of another Core and returns its handle; only without a connection.
  std::uint32_t adopt(std::unique_ptr<TopicPart> part);

  // ---- the turn ----
  std::optional<Event> receive(Instant now);
  void pump(Instant now);

  // ---- topics ----
  // Starts to open a shard of a topic and returns its index; ask topic_state() for the answer. With
  // `held` it starts with open_again().
  Result<std::uint32_t> declare(const Declaration& declaration,
                                std::uint32_t shard,
                                bool held = false);
  // The same for a topic of one shard.
  Result<std::uint32_t> declare(const TopicOptions& options);
  // Opens a shard that is held; tries one that the gateway has refused again, as it was declared.
  void open_again(std::uint32_t topic);
  TopicState topic_state(std::uint32_t topic) const { return topics_[topic]->state; }
  const Error& topic_error(std::uint32_t topic) const { return topics_[topic]->error; }
  const TopicOptions& topic_options(std::uint32_t topic) const { return topics_[topic]->options; }
  std::uint64_t memory_bound(std::uint32_t topic) const { return topics_[topic]->memory_bound; }
  // The sites that hold it, once it is open.
  const std::vector<std::string>& holders(std::uint32_t topic) const {
    return topics_[topic]->sites;
  }

  // ---- publishing ----
  bool has_room(std::uint32_t topic, std::size_t cost) const;
  bool fits_ever(std::size_t cost) const { return room_.has_ever(cost); }
  bool is_failed(std::uint32_t topic) const { return topic_state(topic) == TopicState::kFailed; }
  // Takes the room for a publish that follows: has_room() must hold.
  void reserve(std::size_t cost) { room_.take(cost); }
  // A buffer for its values, with the memory of an earlier publish if there is one.
  std::vector<std::byte> take_buffer(std::uint32_t topic) {
    return topics_[topic]->outbox.take_buffer();
  }
  // Its cost must be reserved. On a failed topic it is refused at once.
  std::uint64_t publish(std::uint32_t topic, Publish publish);
  void tick(std::uint32_t topic, std::uint64_t clock) { topics_[topic]->outbox.tick(clock); }
  std::uint64_t last_clock(std::uint32_t topic) const {
    return topics_[topic]->outbox.last_clock();
  }
  // Nothing while the publish is still on its way to the level. Asking for kApplied or kStable
  // makes the gateway report coverage from then on.
  std::optional<Outcome> outcome(std::uint32_t index,
                                 std::uint64_t number,
                                 Level level,
                                 std::string_view site);
  std::string detail(std::uint32_t topic, std::uint64_t number) const;
  std::size_t unsafe_count() const;
  PublishState publish_state(std::uint32_t topic, std::uint64_t number) const {
    return topics_[topic]->outbox.state(number);
  }

  // ---- subscribing ----
  using Subscription = client::Subscription;
  Result<void> subscribe(std::uint32_t index, Subscription kind, bool keep_sum);
  Subscription subscription(std::uint32_t topic) const { return topics_[topic]->subscription; }
  // A subscription of a shard that is not the topic's first one is asked for when that one has its
  // place: meanwhile it waits, goes without one, and is admitted.
  void wait_for_first(std::uint32_t topic) { topics_[topic]->waits_for_first = true; }
  void go_without_place(std::uint32_t topic) { topics_[topic]->go_without_place(); }
  void admit(std::uint32_t topic) { topics_[topic]->waits_for_first = false; }
  bool has_place(std::uint32_t topic) const { return topics_[topic]->lanes_open; }
  // The gateway has no place for the subscription; it is asked again now and then.
  bool lacks_place(std::uint32_t topic) const { return topics_[topic]->without_place; }
  // The topic starts again from zero, because of this shard or of another one: drops what was
  // received. What the application has published when it knows is answered first, then all is asked
  // for under a new incarnation. It knows by restart_told(); one that polls by take_restart(),
  // where the topic starts once more if something was published since.
  void restart(std::uint32_t index);
  void restart_told(std::uint32_t index);
  bool take_restart(std::uint32_t topic);
  // Whether there is something to take of a polled topic, a restart or what has added up since.
  bool has_pending(std::uint32_t topic) const;
  SumBlocks take_pending(std::uint32_t topic) { return topics_[topic]->pending.take(); }
  // Gives back what take_pending handed out, for reuse.
  void recycle(std::uint32_t topic, SumBlocks blocks);
  // The sum of everything received; nullptr without keep_sum.
  const BlockSums* sum(std::uint32_t topic) const;

  // ---- clocks ----
  std::uint64_t start_wait(std::uint32_t topic, std::uint64_t clock, Instant deadline);
  // Nothing while there is no answer.
  std::optional<ClockOutcome> take_wait(std::uint64_t request);
  void cancel_wait(std::uint64_t request) { waits_.erase(request); }

  // ---- reports ----
  bool is_ready() const { return ready_; }
  // The application is done: says Goodbye when nothing is unsafe, and lets go of the channel.
  void leave(Instant now);
  const std::string& site() const { return site_; }
  const std::vector<std::string>& sites() const { return sites_; }
  ClientStats stats() const;

 private:
  struct ClockWait {
    std::uint32_t topic = 0;
    std::uint64_t min_clock = 0;
    Instant deadline = {};
    bool sent = false;
    std::optional<ClockOutcome> outcome = {};
  };

  void ask_again(std::uint32_t topic);
  std::optional<Event> on_record(Instant now, const local::RecordView& view);
  void on_welcome(const local::Welcome& record);
  void on_declared(Instant now, const local::Declared& record);
  void on_subscribed(Instant now, const local::Subscribed& record, std::optional<Event>& event);
  std::optional<Event> on_transfer(const local::Transfer& record);
  void on_answer(const local::Safe& record);
  void on_answer(const local::Duplicate& record);
  void on_answer(const local::Refused& record);
  void on_covered(const local::Covered& record);
  void on_clock_reached(const local::ClockReached& record);
  void finish_delivery();
  TopicPart* topic_of(local::TopicHandle handle);
  void schedule_dial(Instant now);
  void note_error(std::string_view what);

  bool pump_control(Instant now, std::uint32_t index);
  bool pump_subscription(Instant now, std::uint32_t index);
  bool pump_waits(Instant now);
  PumpResult pump_bulk(Instant now, std::uint32_t index);
  bool covered_at(const TopicPart& topic, Outbox::Accepted accepted, SiteId site) const;

  CoreOptions options_;
  std::unique_ptr<Room> own_room_;  // of a Core that is alone
  Room& room_;
  Random random_;
  local::Channel* channel_ = nullptr;
  bool hello_sent_ = false;
  bool ready_ = false;  // welcomed on this connection
  Instant connected_at_ = {};
  Instant welcome_due_ = Instant::never();
  Instant next_dial_ = {};
  Duration backoff_;
  std::string failure_;
  std::string new_error_;
  std::string site_;
  std::vector<std::string> sites_;
  std::optional<std::uint32_t> said_workers_;
  std::vector<std::unique_ptr<TopicPart>> topics_;  // by handle
  std::uint32_t next_topic_ = 0;                    // whose turn it is to send a record
  std::optional<Delivery> delivered_;               // handed out by receive() and not finished
  std::map<std::uint64_t, ClockWait> waits_;
  std::uint64_t next_request_ = 1;
  ClientStats stats_;
};

}  // namespace godwit::client
