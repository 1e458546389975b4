// The publishes of one topic: kept until the gateway says `safe`, sent again on a new connection.
//
//   number    1     2     3     4     5     6
//           safe  safe unsafe unsafe unsafe unsafe
//                              ▲cursor: 3 is sent, 4 is being sent, 5 and 6 wait
//
// A new connection sets the cursor back to the oldest unsafe publish. A tick waits behind the
// publishes that were made before it.
//
// Thread: one at a time. Memory: the values of unsafe publishes (the owner bounds them), one such
// buffer for the next publish, and a few words for each of the last kFinishedRemembered finished
// ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/local/records.h"
#include "dataplane/base/units.h"

namespace godwit::client {

// Finished publishes whose outcome a ticket can still ask for. Chosen.
inline constexpr std::size_t kFinishedRemembered = 4096;
// Publishes of a topic in the books at once, whatever their state. Chosen.
inline constexpr std::size_t kPublishesMax = 16 * kFinishedRemembered;
// What a publish costs besides its values, for the bound on unsafe bytes. Measured: below 200.
inline constexpr std::size_t kPublishOverhead = 256;

// What the application gave.
struct Publish {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool fixed = false;  // values are int64 quanta, else float32
  std::vector<std::byte> values = {};
  std::optional<std::uint64_t> step = {};
  Instant due = Instant::never();  // when it should have arrived

  std::size_t width() const { return fixed ? sizeof(std::int64_t) : sizeof(float); }  // bytes
  std::size_t cost() const { return values.size() + kPublishOverhead; }
};

enum class PublishState : std::uint8_t {
  kUnsafe,
  kSafe,
  kDuplicate,
  kRefused,
  kUnknown,    // merged or not: the gateway cannot tell
  kForgotten,  // finished so long ago that nothing is known any more
};

enum class PumpResult : std::uint8_t {
  kSent,     // one record went out, there may be more
  kNothing,  // nothing to send
  kNoRoom,   // the ring is full or broken
};

class Outbox {
 public:
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  // Takes a publish and returns its number.
  std::uint64_t add(Publish publish);
  // A buffer for the values of the next publish: fresh memory costs a page fault every 4 KiB.
  std::vector<std::byte> take_buffer() { return std::exchange(spare_, std::vector<std::byte>()); }
  bool is_full() const { return entries_.size() >= kPublishesMax; }

  // Remembers that the application finished iteration `clock` after what it has published so far.
  void tick(std::uint64_t clock);
  std::uint64_t last_clock() const { return last_tick_ ? last_tick_->clock : 0; }

  // The greatest number of a publish of which any part has ever been sent; 0: none.
  std::uint64_t last_sent() const { return last_sent_; }

  // The number of the last publish; 0: none yet.
  std::uint64_t last_number() const { return first_number_ + entries_.size() - 1; }
  // Whether no publish up to this number is unsafe any more.
  bool is_answered(std::uint64_t number) const;

  // Sends one record, of publishes up to this number.
  PumpResult pump(local::Channel& channel,
                  local::TopicHandle topic,
                  Instant now,
                  std::uint64_t last = kNoLimit);

  // A new connection: what is not safe and the last tick go out again. Returns how many publishes
  // had already been sent, at least in part.
  std::size_t rewind();
  // What earlier connections have sent is gone: the topic begins anew.
  void begin_life() { sent_before_ = 0; }
  // The greatest number that was sent whole and not answered; 0 = none.
  std::uint64_t last_unanswered() const;

  // The gateway's answers. Each returns the cost freed, 0 when the number is not unsafe.
  std::size_t on_safe(std::uint64_t number, std::uint64_t accepted, Incarnation life);
  std::size_t on_duplicate(std::uint64_t number);
  std::size_t on_refused(std::uint64_t number, std::string detail);
  std::size_t on_unknown(std::uint64_t number, std::string detail);
  // Refuses everything that is not safe; what an earlier connection has sent whole may be merged,
  // so its outcome is unknown.
  std::size_t refuse_all(const std::string& detail);

  PublishState state(std::uint64_t number) const;
  // The gateway's number of a safe publish, with the topic's life to which it belongs.
  struct Accepted {
    std::uint64_t number = 0;
    Incarnation life;
  };
  Accepted accepted(std::uint64_t number) const;
  std::string detail(std::uint64_t number) const;
  std::size_t unsafe_count() const { return unsafe_count_; }
  // Memory that values occupy, with the spare buffer.
  std::size_t held_bytes() const;

 private:
  struct Entry {
    Publish publish = {};
    PublishState state = PublishState::kUnsafe;
    std::uint64_t accepted = 0;
    Incarnation life = {};
    std::string detail = {};
  };
  struct PendingTick {
    std::uint64_t after;  // goes out behind this publish
    std::uint64_t clock;
  };
  enum class Stage : std::uint8_t {
    kBegin,
    kData,
    kCommit,
  };

  const Entry* find(std::uint64_t number) const;
  std::size_t finish(std::uint64_t number, PublishState state, std::string detail = {});
  void advance();
  void forget_old();
  bool send_stage(local::Channel& channel, local::TopicHandle topic, Instant now);
  bool send_data(local::Channel& channel, local::TopicHandle topic);

  std::deque<Entry> entries_;  // entries_[0] has number first_number_
  std::uint64_t first_number_ = 1;
  std::size_t unsafe_count_ = 0;
  std::uint64_t last_sent_ = 0;
  // Greatest number sent whole over earlier connections, to this life of the topic.
  std::uint64_t sent_before_ = 0;
  std::uint64_t cursor_ = 1;       // the publish to send next, or being sent
  Stage stage_ = Stage::kBegin;    // of the publish at the cursor
  std::uint64_t sent_values_ = 0;  // of the publish at the cursor, a count
  std::vector<std::byte> spare_;   // the last finished publish's
  std::deque<PendingTick> ticks_;
  std::optional<PendingTick> last_tick_;
};

}  // namespace godwit::client
