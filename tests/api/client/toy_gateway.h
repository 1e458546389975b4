// A gateway of one site in a few lines: enough to hold a client to its side of the protocol.
//
// ToyState is what a real gateway keeps in its mapping and survives the ToyGateway, so a test may
// kill the one and start another on the same state. Sums are whole topics, every lane is lane 0.
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

struct ToyTopic {
  local::Declare declared;
  std::vector<std::int64_t> sum;  // P
  std::uint64_t accepted = 0;     // b
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::set<std::uint64_t>>
      merged;  // by publisher, incarnation
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> steps;  // publisher, step
  std::uint64_t clock = 0;
  std::vector<float> seed;
  struct Lane {
    std::vector<std::int64_t> sent;  // S
    std::uint64_t next_k = 1;
    std::map<std::uint64_t, std::vector<std::uint64_t>> frozen;  // k to the record's bytes
    std::map<std::uint64_t, std::size_t> frozen_bytes;
  };
  std::map<std::uint64_t, Lane> lanes;  // by subscriber incarnation
};

struct ToyState {
  Incarnation incarnation{1, 7};
  std::uint32_t topics_lost = 0;      // alone, while the gateway lived on
  Incarnation publisher_before = {};  // as Declared tells it
  std::uint64_t publishers_forgotten = 0;
  std::map<std::string, ToyTopic> topics;
};

class ToyGateway {
 public:
  ToyGateway(ToyState& state, local::Channel& channel) : state_(state), channel_(channel) {}

  std::function<void()> before_safe;  // the publish is merged and nobody knows it yet
  bool skip_safe = false;             // merge and say nothing, as if killed in between
  std::optional<std::string> refuse_declare;
  std::vector<std::string> holders = {"fra", "iad", "sin"};  // of every topic
  std::vector<std::string> missing;                          // sites behind, for wait_clock
  std::uint64_t records = 0;
  std::uint64_t publishes_begun = 0;
  std::uint64_t ticks = 0;
  std::uint64_t accepted_at_tick = 0;  // publishes merged before the last tick came
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

  // Sends every subscriber what it does not have.
  void deliver() {
    for (auto& [handle, topic] : handles_) {
      const auto subscribed = subscriptions_.find(handle);
      if (subscribed == subscriptions_.end()) {
        continue;
      }
      ToyTopic::Lane& lane = topic->lanes[subscribed->second];
      lane.sent.resize(topic->sum.size());
      constexpr std::size_t kPiece = 100;
      for (std::size_t first = 0; first < topic->sum.size(); first += kPiece) {
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
        (void)local::send_transfer(channel_, body);
      }
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

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  void on(const local::Hello& hello) {
    publisher_ = {hello.publisher.value(), hello.incarnation.packed()};
    say(local::Welcome{.version = 1,
                       .gateway = state_.incarnation,
                       .site = "fra",
                       .sites = {"fra", "iad", "sin"}});
  }
  void on(const local::Declare& declare) {
    if (refuse_declare) {
      say(local::Declared{
          .handle = declare.handle, .error = *refuse_declare, .code = Code::kRefused});
      return;
    }
    ToyTopic& topic = state_.topics[declare.topic];
    topic.declared = declare;
    topic.sum.resize(declare.element_count);
    handles_[static_cast<std::uint32_t>(declare.handle)] = &topic;
    say(local::Declared{.handle = declare.handle,
                        .seed_wanted = declare.has_seed && topic.seed.empty(),
                        .memory_bound = 123,
                        .sites = holders,
                        .incarnation = life(),
                        .publisher_before = state_.publisher_before,
                        .publishers_forgotten = state_.publishers_forgotten});
  }
  void on(const local::SeedChunk& chunk) {
    ToyTopic& topic = *handles_.at(static_cast<std::uint32_t>(chunk.topic));
    topic.seed.insert(topic.seed.end(), chunk.values.begin(), chunk.values.end());
  }
  void on(const local::PublishBegin& begin) {
    ++publishes_begun;
    begin_ = begin;
    quanta_.clear();
    bad_.reset();
  }
  void on(const local::PublishData& data) {
    const auto found = handles_.find(static_cast<std::uint32_t>(data.topic));
    if (found == handles_.end()) {
      return;  // answered at the commit
    }
    const ToyTopic& topic = *found->second;
    for (const float value : data.values) {
      const double scaled =
          std::ldexp(static_cast<double>(value), static_cast<int>(topic.declared.fraction_bits));
      if (!std::isfinite(value) || std::fabs(scaled) > 0x1p60) {
        bad_ = bad_ ? bad_ : std::optional(std::pair(begin_.first + quanta_.size(), value));
        quanta_.push_back(0);
      } else {
        quanta_.push_back(static_cast<std::int64_t>(std::nearbyint(scaled)));
      }
    }
    quanta_.insert(quanta_.end(), data.fixed.begin(), data.fixed.end());
  }
  void on(const local::PublishCommit& commit) {
    const auto found = handles_.find(static_cast<std::uint32_t>(commit.topic));
    if (found == handles_.end()) {
      say(local::Refused{.topic = commit.topic, .number = commit.number, .text = "not declared"});
      return;
    }
    ToyTopic& topic = *found->second;
    if (bad_) {
      say(local::Refused{.topic = commit.topic,
                         .number = commit.number,
                         .code = Code::kInvalid,
                         .element = bad_->first,
                         .text = fmt::format("{}", bad_->second)});
      return;
    }
    auto& merged = topic.merged[publisher_];
    if (!merged.contains(commit.number)) {
      if (begin_.step) {
        const Key step{publisher_.first, *begin_.step};
        if (topic.steps.contains(step)) {
          say(local::Duplicate{commit.topic, commit.number});
          return;
        }
        topic.steps[step] = commit.number;
      }
      for (std::size_t i = 0; i < quanta_.size(); ++i) {
        topic.sum[begin_.first + i] += quanta_[i];
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
    ToyTopic& topic = *handles_.at(handle);
    subscriptions_[handle] = subscribe.incarnation.packed();
    const bool known = topic.lanes.contains(subscribe.incarnation.packed());
    const bool resumed = known && (subscribe.from == life() || subscribe.resume.empty());
    ToyTopic::Lane& lane = topic.lanes[subscribe.incarnation.packed()];
    if (!resumed) {
      lane = {};
    }
    say(local::Subscribed{.topic = subscribe.topic, .from = life(), .resumed = resumed});
    const std::uint64_t frontier = subscribe.resume.empty() ? 0 : subscribe.resume[0].frontier;
    for (const auto& [k, words] : lane.frozen) {
      if (k > frontier || resend_all) {
        (void)local::send_transfer(channel_,
                                   std::as_bytes(std::span(words)).first(lane.frozen_bytes[k]));
      }
    }
  }
  void on(const local::Receipt& receipt) {
    receipts[receipt.lane] = receipt.frontier;
    ToyTopic& topic = *handles_.at(static_cast<std::uint32_t>(receipt.topic));
    auto& lane = topic.lanes[subscriptions_.at(static_cast<std::uint32_t>(receipt.topic))];
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
    waits.push_back(wait);
    if (answer_waits) {
      say(local::ClockReached{.request = wait.request, .missing = missing});
    }
  }
  void on(const local::WatchCoverage&) { watched = true; }
  void on(const local::Goodbye&) { said_goodbye = true; }

 public:
  bool resend_all = false;  // ignore receipts, to see that the client skips what it has

 private:
  ToyState& state_;
  local::Channel& channel_;
  Key publisher_{};
  std::map<std::uint32_t, ToyTopic*> handles_;
  std::map<std::uint32_t, std::uint64_t> subscriptions_;
  local::PublishBegin begin_;
  std::vector<std::int64_t> quanta_;
  std::optional<std::pair<std::uint64_t, float>> bad_;
};

}  // namespace godwit::client
