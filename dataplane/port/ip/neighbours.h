// Which MAC address a neighbour has: ARP's and ND's common cache.
//
//             use            confirm                 30 s, then use
//   (absent) ─────▶ asking ───────────▶ fresh ───────────────────────▶ stale and asking
//                     │ 3 × 1 s without an answer    ◀── confirm ──          │
//                     ▼                                                      │
//                   given up: what was held is dropped, the MAC forgotten ◀──┘
//
// A stale MAC is used while its owner is asked. Entries come into being by our own sending only:
// no frame from outside makes one, so nobody can flood the cache; a frame may confirm an entry or
// change its MAC, the latter at most once a second.
//
// Thread: one. Memory: fixed. Held frames are the device's buffers; the cache releases those it
// drops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/pace.h"
#include "dataplane/base/units.h"
#include "dataplane/port/ip/address.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port::ip {

class Neighbours {
 public:
  static constexpr std::size_t kEntries = 128;  // chosen: next hops on one link
  static constexpr std::size_t kStaticMax = 64;
  static constexpr std::size_t kHeldMax = 8;                     // frames per neighbour
  static constexpr std::size_t kHeldTotalMax = 64;               // frames of all together
  static constexpr int kAsksMax = 3;                             // RFC 4861 section 10
  static constexpr Duration kAskInterval = Duration::ms(1'000);  // RFC 1122 section 2.3.2.1
  static constexpr Duration kFreshFor = Duration::ms(30'000);    // RFC 4861 section 10
  static constexpr Duration kLockedFor = Duration::ms(1'000);    // as Linux's locktime
  // Chosen: more than a host asks that looks for us, once a second; less for all entries together
  // than a processor notices, when somebody asks in their names.
  static constexpr Duration kAnswerInterval = Duration::ms(100);
  static constexpr int kAnswerBurst = 5;
  static constexpr Duration kWantedFor = Duration::ms(60'000);  // chosen: longer than any dialling

  struct Question {
    Address address;
    std::optional<Mac> last_known;  // ask it alone; none: ask everybody
  };
  struct Silent {
    Address address;
    Instant since;  // the first question without an answer
  };
  struct Counters {
    std::uint64_t dropped = 0;   // held frames for which there was no room or no answer
    std::uint64_t given_up = 0;  // neighbours that did not answer
    std::uint64_t changed = 0;   // another MAC than before
  };
  using Held = std::array<Frame, kHeldMax>;
  struct Confirmed {
    std::size_t released = 0;     // held frames that may go
    std::optional<Mac> replaced;  // the MAC before, if it was another one
  };

  explicit Neighbours(Device& device) : device_(device) {}
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;
  ~Neighbours();

  void add_static(const Address& address, const Mac& mac);

  // The index of the neighbour's entry, made if there is none; the entry used longest ago yields.
  std::size_t index_of(Instant now, const Address& address);
  // False when the index has passed to somebody else.
  bool is_at(std::size_t index, const Address& address) const {
    return entries_[index].state != State::kAbsent && entries_[index].address == address;
  }

  // The MAC to send to now, or null: hold the frame. Asks when the answer is old or missing.
  const Mac* use(Instant now, std::size_t index);
  // The oldest frame held for the neighbour yields when there is no room.
  void hold(std::size_t index, const Frame& frame);

  // `address` said that it has `mac`. The first frames in `released` may go there now.
  // `overrides`: false leaves a known MAC as it is (RFC 4861 section 7.2.5).
  Confirmed confirm(
      Instant now, const Address& address, const Mac& mac, bool overrides, Held& released);

  // The next question that is due; call until there is none.
  std::optional<Question> poll_question(Instant now);
  Instant next_question() const { return next_question_; }

  // Whether a question from `address` is answered whatever strangers ask: only those that were sent
  // to have an entry, and each has a pace of its own.
  bool may_ask(Instant now, const Address& address);

  // Calls `tell` with each neighbour that was asked for as often as one is and has not answered, if
  // something was sent to it lately.
  template <class Tell>
  void visit_silent(Instant now, Tell tell) const {
    for (const Entry& entry : entries_) {
      const bool is_silent =
          entry.state == State::kLearned && entry.unanswered_since <= now - kAskInterval * kAsksMax;
      if (is_silent && now - entry.used <= kWantedFor) {
        tell(Silent{entry.address, entry.unanswered_since});
      }
    }
  }

  // The link was away: every MAC but the static ones is asked for anew when used.
  void make_stale();

  const Counters& counters() const { return counters_; }

 private:
  enum class State : std::uint8_t {
    kAbsent,
    kLearned,  // or about to be
    kStatic
  };
  struct Entry {
    State state = State::kAbsent;
    bool has_mac = false;
    bool is_asking = false;
    std::uint8_t asks = 0;
    Mac mac{};
    Address address{};
    Instant used{};
    Instant confirmed{};
    Instant ask_at{};
    Instant unanswered_since = Instant::never();
    Pace answers{kAnswerInterval, kAnswerBurst};
    std::size_t held_count = 0;
    Held held{};
  };

  Entry* find(const Address& address);
  void drop_held(Entry& entry, std::size_t count);

  Device& device_;
  std::array<Entry, kEntries> entries_{};
  std::size_t held_total_ = 0;
  Instant next_question_ = Instant::never();
  Counters counters_;
};

}  // namespace godwit::port::ip
