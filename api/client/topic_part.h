// One shard of a topic as a client keeps it: what was declared, what is published and not safe, how
// far its changes were received. It outlives connections and may move from one to another.
//
// Thread: one at a time. Memory: the shard's part of the seed, unsafe publishes, received sums.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/block_sums.h"
#include "api/client/client.h"
#include "api/client/declaration.h"
#include "api/client/outbox.h"
#include "api/local/records.h"
#include "dataplane/base/sharding.h"
#include "dataplane/base/units.h"

namespace godwit::client {

enum class TopicState : std::uint8_t {
  kHeld,     // is declared when the topic's first shard is open
  kOpening,  // declared, not answered yet
  kOpen,
  kFailed,  // refused; the part's error says why
};

enum class Subscription : std::uint8_t {
  kNone,
  kPolled,    // changes add up in `pending`
  kCallback,  // changes come as Delivery
};

struct TopicPart {
  TopicPart(const Declaration& declaration, std::uint32_t part);

  TopicOptions options = {};  // without the seed
  Sharding sharding = {};
  std::uint32_t shard = 0;
  std::vector<float> seed = {};  // the shard's values
  std::uint64_t seed_hash = 0;   // of the whole seed
  TopicState state = TopicState::kOpening;
  Error error = {};
  bool has_opened = false;     // once; then it is tried again on each connection
  Instant declare_after = {};  // the gateway had no room for it
  std::uint64_t memory_bound = 0;
  std::vector<std::string> sites = {};  // that hold it
  Outbox outbox = {};
  Incarnation replaces = {};  // the process that published last, before our first publish
  std::uint64_t publishers_forgotten = 0;  // before the oldest publish that is not answered

  // What this connection has been told.
  bool declare_sent = false;
  bool unanswered_told = false;
  bool subscribe_sent = false;           // of the present subscription
  bool has_subscribed = false;           // of any subscription
  std::uint32_t subscribes_pending = 0;  // sent and not answered, of any subscription
  bool watch_sent = false;
  std::optional<std::uint64_t> seed_at = {};  // next value to send while the gateway wants them

  // Subscription. The sums are of elements of the topic. It begins at zero: when it is asked for,
  // and again when the topic restarts, once the application knows of it. What was published until
  // then is answered before it begins, and so delivered; what is published later waits and is not.
  Subscription subscription = Subscription::kNone;
  bool restart_untold = false;     // by a callback
  bool has_to_begin = false;       // behind the publish `begins_after`
  std::uint64_t begins_after = 0;  // of the present subscription, or of the next one
  Incarnation incarnation = {};    // of the subscriber's state
  Incarnation from = {};           // the topic's life to which the frontiers belong
  bool asked_before = false;       // under this incarnation, and what was published since comes too
  bool lanes_open = false;         // Subscribed was received on this connection
  bool without_place = false;      // the gateway's last answer was that it has none
  bool waits_for_first = false;    // the topic's first shard has no place yet
  Instant subscribe_after = {};    // to ask again
  std::array<std::uint64_t, local::kLanesMax> frontier = {};
  std::uint64_t receipts_owed = 0;  // bit by lane
  BlockSums pending = {};
  bool restarted = false;  // and a poll has yet to say so
  std::unique_ptr<BlockSums> sum = {};

  // Coverage.
  bool watch = false;
  Incarnation life = {};  // of the topic's state at the gateway
  std::map<SiteId, std::uint64_t> covered = {};

  std::uint64_t elements() const { return sharding.elements(shard); }

  // Tries again to open what the gateway has refused; the subscription goes on.
  void open_again();
  // The same with other options. Of another element count or quantum it is another topic: of the
  // old one only the tickets stay.
  void declare_again(const Declaration& declaration);

  // Whether the gateway may be told of it.
  bool may_ask(Instant now) const {
    return state != TopicState::kFailed && state != TopicState::kHeld && now >= declare_after;
  }
  // Whether the subscription may be asked for.
  bool may_subscribe(Instant now) const { return may_begin() && now >= subscribe_after; }
  // Whether what the gateway says of the topic's changes is true of the subscription, if there is
  // one.
  bool may_receive() const { return may_begin() && !without_place; }
  // Whether the application holds changes since the subscription began, its own ones among them.
  bool holds_changes() const {
    return outbox.last_sent() > begins_after ||
           std::any_of(frontier.begin(), frontier.end(), [](auto k) { return k != 0; });
  }
  // It is asked for again later, by the same name. What is published until it begins will come
  // with it, as with one that begins again.
  void lose_place(Instant again_at) {
    go_without_place();
    subscribe_sent = false;
    subscribe_after = again_at;
  }
  // As long as the first shard has no place, nor is there one for this one.
  void go_without_place() {
    asked_before = true;
    without_place = true;
  }
  // Whether what is published behind `begins_after` waits for the subscription to begin.
  bool holds_publishes() const { return has_to_begin || (waits_for_first && !without_place); }
  void begin_behind_publishes() {
    has_to_begin = true;
    begins_after = outbox.last_number();
  }
  void next_incarnation() { incarnation = Incarnation::from_packed(incarnation.packed() + 1); }
  // Everything will come again from zero.
  void forget_received() {
    frontier = {};
    receipts_owed = 0;
    pending.clear();
    if (sum) {
      sum->clear();
    }
  }
  // And is asked for anew. What is still sent of it is ignored.
  void give_up_subscription() {
    forget_received();
    from = {};
    asked_before = false;
    subscribe_sent = false;
    lanes_open = false;
    subscribe_after = {};
  }
  // A new connection has been told nothing, and its gateway may take what the last did not, or not
  // what the last did: nothing is published before it has answered.
  void begin_connection() {
    state = has_opened ? TopicState::kOpening : state;
    declare_sent = false;
    declare_after = {};
    unanswered_told = false;
    asked_before = asked_before || subscribe_sent;
    subscribe_sent = false;
    has_subscribed = false;
    subscribes_pending = 0;
    watch_sent = false;
    lanes_open = false;
    subscribe_after = {};
    seed_at.reset();
    receipts_owed = 0;
  }

 private:
  bool may_begin() const { return !restart_untold && !has_to_begin && !waits_for_first; }
};

}  // namespace godwit::client
