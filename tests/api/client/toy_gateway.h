// A gateway of one site in a few lines: enough to hold a client to its side of the protocol.
//
// ToyState is what a real gateway keeps in its mapping and survives the ToyGateway, so a test may
// kill the one and start another on the same state. Each shard of a topic is one of its topics;
// every lane is lane 0. A ToyGateway is one connection, of the worker that it is told to be.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/local/records.h"

namespace godwit::client {

// Of each sum, in quanta: what a gateway of three sites has.
inline constexpr std::int64_t kToyRange = (std::int64_t{1} << 62U) / 3;

struct ToyTopic {
  std::uint32_t births = 0;  // how often its state was lost
  local::Declare declared = {};
  std::vector<std::int64_t> sum = {};  // P
  std::uint64_t accepted = 0;          // b
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::set<std::uint64_t>> merged =
      {};                                                  // by publisher, incarnation
  std::map<std::uint64_t, std::uint64_t> last_steps = {};  // merged, by publisher
  std::uint64_t clock = 0;
  std::vector<float> seed = {};
  struct Lane {
    std::vector<std::int64_t> sent = {};  // S
    std::uint64_t next_k = 1;
    std::uint64_t covered_to = 0;                                // publishes that are all in `sent`
    std::map<std::uint64_t, std::vector<std::uint64_t>> frozen;  // k to the record's bytes
    std::map<std::uint64_t, std::size_t> frozen_bytes;
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, Lane> lanes = {};  // by subscriber, incarnation
};

struct ToyState {
  Incarnation incarnation{1, 7};
  std::uint32_t topics_lost = 0;      // alone, while the gateway lived on
  Incarnation publisher_before = {};  // as Declared tells it
  std::uint64_t publishers_forgotten = 0;
  std::map<std::string, ToyTopic> topics;  // by name, and ".shard" where there are several

  // The state of a topic, or of one shard, is lost.
  void lose(const std::string& topic) {
    topics[topic] = ToyTopic{.births = topics[topic].births + 1};
  }
};

class ToyGateway {
 public:
  ToyGateway(ToyState& state, local::Channel& channel) : state_(state), channel_(channel) {}

  std::function<void()> before_safe;  // the publish is merged and nobody knows it yet
  bool skip_safe = false;             // merge and say nothing, as if killed in between
  std::uint32_t workers = 0;          // 0: it knows no shards
  std::uint32_t worker = 0;
  std::optional<std::string> refuse_declare;
  Code refuse_code = Code::kRefused;
  std::optional<std::string> refuse_subscribe;
  std::vector<std::string> holders = {"fra", "iad", "sin"};  // of every topic
  std::vector<std::string> missing;                          // sites behind, for wait_clock
  std::uint64_t records = 0;
  std::uint64_t publishes_begun = 0;
  std::uint64_t ticks = 0;
  std::uint64_t subscribes = 0;
  std::uint64_t accepted_at_tick = 0;       // publishes merged before the last tick came
  std::uint64_t accepted_at_subscribe = 0;  // and before the last Subscribe
  std::optional<local::Subscribe> last_subscribe;
  std::map<std::uint16_t, std::uint64_t> receipts;
  std::vector<local::WaitClock> waits;
  bool answer_waits = true;
  bool said_goodbye = false;
  bool watched = false;

  // Takes at most `limit` records; returns how many it took. Stops at a malformed one.
  int serve(int limit = 1 << 30) {
    int taken = 0;
    while (taken < limit) {
      const auto view = channel_.receive();
      if (!view) {
        break;
      }
      ++taken;
      ++records;
      auto record = local::decode_client_record(*view);
      if (!record) {
        channel_.break_with(record.error().message);
        break;
      }
      std::visit([this](const auto& value) { on(value); }, *record);
    }
    return taken;
  }

  // Sends every subscriber what it does not have, as far as there is room.
  void deliver() {
    for (auto& [handle, topic] : handles_) {
      const auto subscribed = subscriptions_.find(handle);
      if (subscribed == subscriptions_.end()) {
        continue;
      }
      ToyTopic::Lane& lane = topic->lanes[subscribed->second.lane];
      lane.sent.resize(topic->sum.size());
      constexpr std::size_t kPiece = 100;
      const bool is_new = std::exchange(lane.covered_to, topic->accepted) != topic->accepted;
      for (std::size_t first = 0; is_new && first < topic->sum.size(); first += kPiece) {
        std::vector<std::int64_t> open;
        bool any = false;
        for (std::size_t i = first; i < std::min(first + kPiece, topic->sum.size()); ++i) {
          open.push_back(topic->sum[i] - lane.sent[i]);
          any = any || open.back() != 0;
        }
        if (!any) {
          continue;
        }
        std::vector<std::uint64_t> words(200);
        local::TransferWriter writer(
            std::as_writable_bytes(std::span(words)), local::TopicHandle{handle}, 0, lane.next_k);
        if (!writer.add(first, open)) {
          std::abort();
        }
        const auto body = writer.finish();
        lane.frozen_bytes[lane.next_k] = body.size();
        lane.frozen[lane.next_k] = words;
        for (std::size_t i = 0; i < open.size(); ++i) {
          lane.sent[first + i] += open[i];
        }
        ++lane.next_k;
      }
      send_frozen(handle, lane, subscribed->second);
    }
  }

  template <class Record>
  void say(const Record& record) {
    (void)local::send(channel_, record);
  }
  // Of a topic whose state is made now.
  Incarnation life() const {
    return {state_.incarnation.counter, state_.incarnation.nonce + state_.topics_lost};
  }
  Incarnation life(const ToyTopic& topic) const {
    return {life().counter, life().nonce + 1000 * topic.births};
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  struct Subscriber {
    Key lane = {};
    std::uint64_t next_k = 1;  // to be sent on this connection
  };
  struct Publishing {
    local::PublishBegin begin = {};
    std::vector<std::int64_t> quanta = {};
    std::optional<std::pair<std::uint64_t, double>> bad = {};  // the element and its value
  };

  void send_frozen(std::uint32_t handle, ToyTopic::Lane& lane, Subscriber& to) {
    for (auto at = lane.frozen.lower_bound(to.next_k); at != lane.frozen.end(); ++at) {
      const auto body =
          std::as_writable_bytes(std::span(at->second)).first(lane.frozen_bytes[at->first]);
      local::readdress_transfer(body, local::TopicHandle{handle});  // it may be another one now
      if (!local::send_transfer(channel_, body)) {
        return;
      }
      to.next_k = at->first + 1;
    }
  }

  void on(const local::Hello& hello) {
    publisher_ = {hello.publisher.value(), hello.incarnation.packed()};
    say(local::Welcome{.version = 1,
                       .gateway = state_.incarnation,
                       .site = "fra",
                       .sites = {"fra", "iad", "sin"},
                       .workers = workers,
                       .worker = worker});
  }
  void on(const local::Declare& declare) {
    if (refuse_declare) {
      say(local::Declared{.handle = declare.handle, .error = *refuse_declare, .code = refuse_code});
      refused_.insert(static_cast<std::uint32_t>(declare.handle));
      return;
    }
    const Sharding sharding{.element_count = declare.element_count, .shards = declare.shards};
    if (!sharding.is_valid() ||
        (workers != 0 && worker_of(TopicId::of(declare.topic), declare.shard, workers) != worker)) {
      say(local::Declared{
          .handle = declare.handle, .error = "not of this worker", .code = Code::kInvalid});
      return;
    }
    ToyTopic& topic =
        state_.topics[declare.shards == 1 ? declare.topic
                                          : fmt::format("{}.{}", declare.topic, declare.shard)];
    topic.declared = declare;
    topic.sum.resize(sharding.elements(declare.shard));
    handles_[static_cast<std::uint32_t>(declare.handle)] = &topic;
    say(local::Declared{.handle = declare.handle,
                        .seed_wanted = declare.has_seed && topic.seed.empty(),
                        .memory_bound = 123,
                        .sites = holders,
                        .incarnation = life(topic),
                        .publisher_before = state_.publisher_before,
                        .publishers_forgotten = state_.publishers_forgotten});
  }
  void on(const local::SeedChunk& chunk) {
    ToyTopic& topic = *handles_.at(static_cast<std::uint32_t>(chunk.topic));
    if (chunk.first != topic.seed.size()) {
      std::abort();
    }
    topic.seed.insert(topic.seed.end(), chunk.values.begin(), chunk.values.end());
  }
  void on(const local::PublishBegin& begin) {
    ++publishes_begun;
    publishing_[static_cast<std::uint32_t>(begin.topic)] = {.begin = begin};
  }
  void on(const local::PublishData& data) {
    const auto found = handles_.find(static_cast<std::uint32_t>(data.topic));
    if (found == handles_.end()) {
      return;  // answered at the commit
    }
    const ToyTopic& topic = *found->second;
    Publishing& publishing = publishing_.at(found->first);
    auto& quanta = publishing.quanta;
    for (const float value : data.values) {
      const double scaled =
          std::ldexp(static_cast<double>(value), static_cast<int>(topic.declared.fraction_bits));
      if (!(std::fabs(scaled) <= static_cast<double>(kToyRange))) {
        if (!publishing.bad) {
          publishing.bad = std::pair(publishing.begin.first + quanta.size(), value);
        }
        quanta.push_back(0);
      } else {
        quanta.push_back(static_cast<std::int64_t>(std::nearbyint(scaled)));
      }
    }
    quanta.insert(quanta.end(), data.fixed.begin(), data.fixed.end());
  }
  void on(const local::PublishCommit& commit) {
    const auto found = handles_.find(static_cast<std::uint32_t>(commit.topic));
    if (found == handles_.end()) {
      say(local::Refused{.topic = commit.topic, .number = commit.number, .text = "not declared"});
      return;
    }
    ToyTopic& topic = *found->second;
    auto& [begin, quanta, bad] = publishing_.at(found->first);
    auto& merged = topic.merged[publisher_];
    const bool is_new = !merged.contains(commit.number);
    for (std::size_t i = 0; is_new && i < quanta.size() && !bad; ++i) {
      std::int64_t sum = 0;
      const bool overflow = __builtin_add_overflow(topic.sum.at(begin.first + i), quanta[i], &sum);
      if (overflow || sum > kToyRange || sum < -kToyRange) {
        bad = std::pair(begin.first + i, static_cast<double>(quanta[i]));
      }
    }
    if (bad) {
      say(local::Refused{.topic = commit.topic,
                         .number = commit.number,
                         .code = Code::kInvalid,
                         .element = bad->first,
                         .text = fmt::format("{}", bad->second)});
      return;
    }
    if (is_new) {
      if (begin.step) {
        std::uint64_t& last_step = topic.last_steps[publisher_.first];
        if (*begin.step <= last_step) {
          say(local::Duplicate{commit.topic, commit.number});
          return;
        }
        last_step = *begin.step;
      }
      for (std::size_t i = 0; i < quanta.size(); ++i) {
        topic.sum.at(begin.first + i) += quanta[i];
      }
      merged.insert(commit.number);
      ++topic.accepted;
    }
    if (before_safe) {
      before_safe();
    }
    if (!skip_safe) {
      say(local::Safe{commit.topic, commit.number, topic.accepted});
    }
  }
  void on(const local::Subscribe& subscribe) {
    last_subscribe = subscribe;
    const auto handle = static_cast<std::uint32_t>(subscribe.topic);
    if (!is_declared(subscribe.topic)) {
      return;
    }
    ++subscribes;
    if (refuse_subscribe) {
      say(local::Subscribed{
          .topic = subscribe.topic, .code = Code::kFull, .error = *refuse_subscribe});
      return;
    }
    ToyTopic& topic = *handles_.at(handle);
    accepted_at_subscribe = topic.accepted;
    const Key key{subscribe.subscriber.value(), subscribe.incarnation.packed()};
    const bool known = topic.lanes.contains(key);
    const bool resumed = known && (subscribe.from == life(topic) || subscribe.resume.empty());
    ToyTopic::Lane& lane = topic.lanes[key];
    if (!resumed) {
      lane = {};
    }
    say(local::Subscribed{.topic = subscribe.topic, .from = life(topic), .resumed = resumed});
    const bool from_start = !resumed || subscribe.resume.empty() || resend_all;
    subscriptions_[handle] = {key, from_start ? 1 : subscribe.resume[0].frontier + 1};
    send_frozen(handle, lane, subscriptions_[handle]);
  }
  void on(const local::Receipt& receipt) {
    receipts[receipt.lane] = receipt.frontier;
    ToyTopic& topic = *handles_.at(static_cast<std::uint32_t>(receipt.topic));
    auto& lane = topic.lanes[subscriptions_.at(static_cast<std::uint32_t>(receipt.topic)).lane];
    if (!resend_all) {
      lane.frozen.erase(lane.frozen.begin(), lane.frozen.upper_bound(receipt.frontier));
    }
  }
  void on(const local::Tick& tick) {
    ++ticks;
    ToyTopic& topic = *handles_.at(static_cast<std::uint32_t>(tick.topic));
    accepted_at_tick = topic.accepted;
    topic.clock = std::max(topic.clock, tick.clock);
  }
  void on(const local::WaitClock& wait) {
    if (!is_declared(wait.topic)) {
      return;
    }
    waits.push_back(wait);
    if (answer_waits) {
      say(local::ClockReached{.request = wait.request, .missing = missing});
    }
  }
  void on(const local::WatchCoverage&) { watched = true; }
  // What comes of a topic that was refused on this connection is passed over; of one that was not
  // declared on it it ends the connection.
  bool is_declared(local::TopicHandle topic) {
    const auto handle = static_cast<std::uint32_t>(topic);
    if (!handles_.contains(handle) && !refused_.contains(handle)) {
      channel_.break_with("a topic that is not declared");
    }
    return handles_.contains(handle);
  }
  void on(const local::Goodbye&) { said_goodbye = true; }

 public:
  bool resend_all = false;  // ignore receipts, to see that the client skips what it has

 private:
  ToyState& state_;
  local::Channel& channel_;
  Key publisher_{};
  std::map<std::uint32_t, ToyTopic*> handles_;
  std::set<std::uint32_t> refused_;
  std::map<std::uint32_t, Subscriber> subscriptions_;
  std::map<std::uint32_t, Publishing> publishing_;
};

}  // namespace godwit::client
