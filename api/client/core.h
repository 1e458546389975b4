// The client's side of the protocol, without a socket, a clock or a thread.
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

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/client/block_sums.h"
#include "api/client/client.h"
#include "api/client/outbox.h"
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
};

// A transfer for a callback. Its views are valid until the next receive().
struct Delivery {
  std::uint32_t topic = 0;
  local::Transfer transfer = {};
};

// The gateway lost its state: this topic's changes come again from zero.
struct Restart {
  std::uint32_t topic = 0;
};

using Event = std::variant<Delivery, Restart>;

enum class TopicState : std::uint8_t {
  kOpening,  // declared, not answered yet
  kOpen,
  kFailed,  // refused; see topic_error()
};

class Core {
 public:
  explicit Core(CoreOptions options);

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

  // ---- the turn ----
  std::optional<Event> receive(Instant now);
  void pump(Instant now);

  // ---- topics ----
  // Starts to open a topic and returns its index; ask topic_state() for the answer.
  Result<std::uint32_t> declare(const TopicOptions& options);
  TopicState topic_state(std::uint32_t topic) const { return topics_[topic]->state; }
  const Error& topic_error(std::uint32_t topic) const { return topics_[topic]->error; }
  const TopicOptions& topic_options(std::uint32_t topic) const { return topics_[topic]->options; }
  std::uint64_t memory_bound(std::uint32_t topic) const { return topics_[topic]->memory_bound; }

  // ---- publishing ----
  bool has_room(std::uint32_t topic, std::size_t cost) const;
  bool fits_ever(std::size_t cost) const { return cost <= options_.unsafe_bytes_max; }
  bool is_failed(std::uint32_t topic) const { return topic_state(topic) == TopicState::kFailed; }
  // Takes the room for a publish that follows: has_room() must hold.
  void reserve(std::size_t cost) { unsafe_bytes_ += cost; }
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
  std::optional<Outcome> outcome(std::uint32_t topic,
                                 std::uint64_t number,
                                 Level level,
                                 std::string_view site);
  std::string detail(std::uint32_t topic, std::uint64_t number) const;
  std::size_t unsafe_count() const;

  // ---- subscribing ----
  enum class Subscription : std::uint8_t {
    kNone,
    kPolled,    // changes add up in pending()
    kCallback,  // changes come as Delivery
  };
  Result<void> subscribe(std::uint32_t topic, Subscription kind, bool keep_sum);
  // What has added up, and whether the sums started again from zero before it.
  bool has_pending(std::uint32_t topic) const;
  SumBlocks take_pending(std::uint32_t topic, bool& restarted);
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
  struct Topic {
    TopicOptions options = {};
    std::vector<float> seed = {};
    std::uint64_t seed_hash = 0;
    TopicState state = TopicState::kOpening;
    Error error = {};
    std::uint64_t memory_bound = 0;
    std::vector<std::string> sites = {};  // that hold it
    Outbox outbox = {};
    Incarnation replaces = {};  // the process that published last, before our first publish
    std::uint64_t publishers_forgotten = 0;  // before the oldest publish that is not answered
    // What this connection has been told.
    bool declare_sent = false;
    bool unanswered_told = false;
    bool subscribe_sent = false;
    bool watch_sent = false;
    std::optional<std::uint64_t> seed_at = {};  // next value to send while the gateway wants them
    // Subscription.
    Subscription subscription = Subscription::kNone;
    Incarnation from = {};    // the topic's life to which the frontiers belong
    bool lanes_open = false;  // Subscribed was received on this connection
    std::array<std::uint64_t, local::kLanesMax> frontier = {};
    std::uint64_t receipts_owed = 0;  // bit by lane
    BlockSums pending = {};
    bool restarted = false;
    std::unique_ptr<BlockSums> sum = {};
    // Coverage.
    bool watch = false;
    Incarnation life = {};  // of the topic's state at the gateway
    std::map<SiteId, std::uint64_t> covered = {};
  };
  struct ClockWait {
    std::uint32_t topic = 0;
    std::uint64_t min_clock = 0;
    Instant deadline = {};
    bool sent = false;
    std::optional<ClockOutcome> outcome = {};
  };

  std::optional<Event> on_record(Instant now, const local::RecordView& view);
  void on_welcome(const local::Welcome& record);
  void on_declared(const local::Declared& record);
  void on_subscribed(const local::Subscribed& record, std::optional<Event>& event);
  std::optional<Event> on_transfer(const local::Transfer& record);
  void on_answer(const local::Safe& record);
  void on_answer(const local::Duplicate& record);
  void on_answer(const local::Refused& record);
  void on_covered(const local::Covered& record);
  void on_clock_reached(const local::ClockReached& record);
  void finish_delivery();
  Topic* topic_of(local::TopicHandle handle);
  void give_up(std::string reason);
  void schedule_dial(Instant now);

  bool pump_control(std::uint32_t index);
  bool pump_subscription(std::uint32_t index);
  bool pump_waits(Instant now);
  PumpResult pump_bulk(Instant now, std::uint32_t index);
  bool covered_at(const Topic& topic, Outbox::Accepted accepted, SiteId site) const;

  CoreOptions options_;
  Random random_;
  local::Channel* channel_ = nullptr;
  bool hello_sent_ = false;
  bool ready_ = false;  // welcomed on this connection
  Instant connected_at_ = {};
  Instant welcome_due_ = Instant::never();
  Instant next_dial_ = {};
  Duration backoff_;
  std::string failure_;
  std::string site_;
  std::vector<std::string> sites_;
  std::vector<std::unique_ptr<Topic>> topics_;
  std::uint32_t next_topic_ = 0;  // whose turn it is to send a record
  std::size_t unsafe_bytes_ = 0;
  std::optional<Delivery> delivered_;  // handed out by receive() and not finished
  std::map<std::uint64_t, ClockWait> waits_;
  std::uint64_t next_request_ = 1;
  ClientStats stats_;
};

}  // namespace godwit::client
