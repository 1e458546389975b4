// One client of this gateway: its records in, its answers and deliveries out.
//
// A record that breaks the format breaks the channel; one that asks for something impossible is
// answered with a reason. A publish that cannot be taken now (its predecessor is still merging, or
// storage is full) stalls this client's ring and nobody else's: back-pressure, never loss. So does
// an answer for which the client has no room: what comes after it is not taken before the client
// can have read it, or a refused publish, sent again after a death, would look as if it were safe.
//
// Thread: the worker.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/gateway/core.h"
#include "api/gateway/exchange.h"
#include "api/gateway/subscription.h"
#include "api/local/channel.h"
#include "api/local/records.h"

namespace godwit::gateway {

class ClientSession {
 public:
  ClientSession(Core& core, Exchange& exchange, local::Channel& channel, std::size_t ring_bytes)
      : core_(core),
        exchange_(exchange),
        channel_(channel),
        ring_bytes_(ring_bytes),
        number_(++core.client_sessions) {}

  // Takes records, sends answers and deliveries; true when there is more to do at once.
  bool on_turn(Instant now);
  // The client has gone: takes what is complete in its ring, then closes its lanes. False: call it
  // again, something cannot be taken yet.
  bool drain(Instant now);
  // A tile of a topic changed.
  void on_changed(const Topic& topic, std::uint32_t tile);

  const std::string& name() const { return hello_.client_name; }
  PublisherId publisher() const { return hello_.publisher; }  // 0 before it has greeted
  bool finished() const { return finished_; }
  std::string_view label() const { return name().empty() ? "(unnamed)" : std::string_view(name()); }
  std::uint64_t bytes_unread() const { return channel_.bytes_unread(); }  // in the ring to it
  std::size_t subscriptions() const { return subscriptions_.size(); }
  // When the next turn is due even if nothing happens.
  Instant deadline() const;
  // Adds the lanes of this client's subscriptions to the topic.
  void list_lanes(const Topic& topic, std::set<ledger::LaneIndex>& lanes) const;
  // Topics of which this client was refused the declaration or the subscription, and nothing since
  // was taken: the name, and why.
  void list_refusals(const std::function<void(const std::string&, const Refusal&)>& visit) const;
  // A waited-for clock was reached, or its deadline has passed; false: not this client's wait.
  bool on_wait_done(const scheduler::StalenessWaits::Done& done);

 private:
  struct Publishing {
    std::uint64_t number = 0;
    std::uint64_t first = 0;  // elements
    std::uint64_t count = 0;
    Instant due = Instant::never();
    bool skipping = false;  // refused or duplicate: the rest of its records is ignored
  };
  struct RefusedTopic {
    std::string name;
    std::optional<Refusal> refusal = {};
  };
  struct Declared {
    Topic* topic = nullptr;
    std::optional<ledger::InboxIndex> inbox;
    Publishing publishing;
    std::optional<Incarnation> replaces;  // the only process that it may take the inbox from
    std::optional<local::Unanswered> unanswered;
    bool watches_coverage = false;
    std::map<SiteId, std::uint64_t> covered_told;
    std::optional<Refusal> unsubscribed;  // why, if it asked
  };
  struct ClockReply {
    local::ClockReached reply;
    TopicShard topic;
    std::uint64_t number = 0;  // changes up to it must be delivered first
  };
  enum class Taken : std::uint8_t {
    kDone,
    kStalled,  // try the same record again later
    kBroken,   // the channel must end
  };

  bool take_records(Instant now);
  Taken take(Instant now, const local::RecordView& view);
  Taken on(Instant now, const local::Hello& record);
  Taken on(Instant now, const local::Declare& record);
  Taken on(Instant now, const local::SeedChunk& record);
  Taken on(Instant now, const local::PublishBegin& record);
  Taken on(Instant now, const local::PublishData& record);
  Taken on(Instant now, const local::PublishCommit& record);
  Taken on(Instant now, const local::Subscribe& record);
  Taken on(Instant now, const local::Receipt& record);
  Taken on(Instant now, const local::Tick& record);
  Taken on(Instant now, const local::WaitClock& record);
  Taken on(Instant now, const local::WatchCoverage& record);
  Taken on(Instant now, const local::Goodbye& record);

  Taken refuse_publish(Declared& declared,
                       local::TopicHandle handle,
                       PublishRefusal reason,
                       const Error& error,
                       std::uint64_t element = local::kNoElement);
  Taken refuse_sum(Declared& declared,
                   local::TopicHandle handle,
                   const ledger::BeyondRange& beyond);
  Taken refuse_subscription(Instant now, const local::Subscribe& record, const Error& error);
  Taken break_with(Code code, std::string text);
  // Counts it, and logs it now and then. `noted` keeps since when it is so.
  void note_refusal(Instant now,
                    ClientRequest request,
                    const Error& error,
                    std::optional<Refusal>& noted);
  void finish_refused();
  Declared* find(local::TopicHandle handle);
  // A record of a topic that is not open: of one that was refused it is no news.
  Taken not_declared(local::TopicHandle handle, std::string_view record);
  bool owns_inbox(const Declared& declared) const;
  bool is_forgotten(const Declared& declared) const;
  bool predecessor_leaves() const;
  bool successor_publishes(const ledger::Ledger& ledger) const;
  ledger::PublisherKind publisher_kind() const {
    return hello_.client_name.empty() ? ledger::PublisherKind::kUnnamed
                                      : ledger::PublisherKind::kNamed;
  }
  Result<Topic*> open_topic(Instant now, const local::Declare& record);
  void on_tickers(Topic& topic, bool changed);
  void tell_coverage();
  void release_clock_replies();

  // Sends a record now, or as soon as the client has read enough.
  template <class Record>
  void reply(Record record) {
    if (outbox_.empty() && local::send(channel_, record)) {
      return;
    }
    outbox_.push_back([record = std::move(record)](local::Channel& channel) {
      return local::send(channel, record);
    });
  }

  Core& core_;
  Exchange& exchange_;
  local::Channel& channel_;
  std::size_t ring_bytes_;
  std::uint64_t number_;  // of this session; later ones have greater numbers
  local::Hello hello_;
  bool greeted_ = false;
  Instant greets_by_ = Instant::never();  // or is ended; counts from the first turn
  bool finished_ = false;
  ClientRefusal refusal_ = ClientRefusal::kProtocol;  // if it is cut off
  bool said_goodbye_ = false;
  bool leaving_ = false;  // nobody reads the answers any more
  std::optional<local::RecordView> stalled_;
  std::map<local::TopicHandle, Declared> declared_;
  std::map<Code, std::uint64_t> refusals_;  // of topics and subscriptions
  // By Declare; the client may have gone on before it knew.
  std::map<local::TopicHandle, RefusedTopic> refused_;
  std::deque<std::unique_ptr<Subscription>> subscriptions_;
  std::deque<std::function<bool(local::Channel&)>> outbox_;
  std::map<scheduler::StalenessWaits::WaitId, std::pair<std::uint64_t, TopicShard>> waits_;
  std::deque<ClockReply> clock_replies_;
  std::vector<std::int64_t> fixed_;  // one record's values in quanta
};

}  // namespace godwit::gateway
