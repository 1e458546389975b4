// Control messages on their way to a peer: ahead of all data, and policed to their share of the
// link.
//
//   opening     Hello, announcements, lanes, refusals, Goodbye ──▶ at once, in order ──▶ session
//   cumulative  receipts, clocks, coverage ──▶ newest of a shard ──▶ ControlPolicer ──▶ session
//
// What opens is a few messages a topic and session, and a slow link has nothing better to do
// before. Our announcements are bounded by our topics; answers are not, by a peer that asks for
// ever and does not read: its session must end when they exceed kAnswerBytesMax. What is cumulative
// comes for ever; a newer message says all that an older one of its shard said, so it takes the
// older one's place in the line: nothing starves, and at most three messages a shard wait.
//
// Thread: the worker. Memory: what is cumulative allocates nothing once as many shards waited.
// Time: passed in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <tuple>

#include "api/proto/control.pb.h"
#include "dataplane/base/ring.h"
#include "dataplane/base/units.h"
#include "dataplane/transport/session.h"
#include "scheduler/budget/control_policer.h"

namespace godwit::gateway {

class ControlOutbox {
 public:
  // What a message costs beside its own bytes: its length on the control stream.
  static constexpr std::size_t kLengthBytes = 4;
  // Answers (lanes, refusals) that may wait for a peer. Chosen: the lanes of 80,000 topics, opened
  // at once on a link that is slower than the peer asks.
  static constexpr std::size_t kAnswerBytesMax = std::size_t{8} << 20U;

  ControlOutbox(Instant now, BitRate link_rate) : policer_(now, link_rate) {}

  void push(const control::ControlMessage& message);
  // Hands over what may go now. A session that takes no more keeps the rest waiting.
  void flush(Instant now, BitRate link_rate, transport::Session& session);
  // The session is over, and what was meant for it.
  void clear();

  // When the policer lets the next message pass, as of the last flush; never() when none waits for
  // it.
  Instant ready_at() const { return ready_at_; }
  std::size_t waiting() const { return opening_.size() + cumulative_.size(); }
  // More answers wait than a peer that reads can leave: its session must end.
  bool overrun() const { return answer_bytes_ > kAnswerBytesMax; }

 private:
  // The kind, the topic's id and the shard: each shard has receipts, clocks and coverage of its
  // own.
  using Subject = std::tuple<control::ControlMessage::KindCase, std::uint64_t, std::uint32_t>;
  // Of a message that says all that former ones of its subject said; nothing for the others.
  static std::optional<Subject> cumulative_subject(const control::ControlMessage& message);

  struct Opening {
    std::string bytes;
    std::size_t cost = 0;  // of what is counted as an answer, bytes in memory; else 0
  };
  // A cumulative message is at most a receipt with its bitmap, 190 bytes.
  static constexpr std::size_t kCumulativeBytesMax = 256;
  struct Cumulative {
    Subject subject;
    std::array<std::byte, kCumulativeBytesMax> room{};
    std::size_t size = 0;

    std::span<const std::byte> bytes() const { return std::span(room).first(size); }
  };

  scheduler::ControlPolicer policer_;
  std::deque<Opening> opening_;
  std::size_t answer_bytes_ = 0;  // the sum of the costs in opening_
  Ring<Cumulative> cumulative_;
  std::pmr::unsynchronized_pool_resource nodes_;  // of places_, used again
  // Of those that wait, counted from the first ever.
  std::pmr::map<Subject, std::uint64_t> places_{&nodes_};
  std::uint64_t gone_ = 0;  // cumulative messages that left the line
  Instant ready_at_ = Instant::never();
};

}  // namespace godwit::gateway
