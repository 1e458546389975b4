// A training process at a site: the real client core, what it publishes, and its own log of it.
//
//     plan ─▶ publish ─▶ client::Spread ─▶ ring ─▶ gateway        the log outlives the process:
//               │                                               it is what the truth is made of
//               └──▶ log: integers, number, step, clock, fate
//
// A crash ends the process between two turns: it is gone, its library with it, its ring stays for
// the gateway to drain. The next life publishes again what it does not know to be safe, or goes on
// without it.
//
// Thread: one. Time: virtual.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/client/spread.h"
#include "api/local/memory_channel.h"
#include "dataplane/base/random.h"
#include "tests/sim/scenario.h"
#include "tests/sim/trace.h"

namespace godwit::sim {

enum class Fate : std::uint8_t {
  kOnTheWay,  // this life of the client keeps it until it is safe
  kSafe,
  kUnknown,  // the client died before it knew
  kDead,     // was safe at a gateway that lost its state
};

// One publish as the client means it; a repeated one keeps its place in the log.
struct Published {
  std::uint64_t first = 0;
  std::vector<std::int64_t> values;  // quanta
  std::uint64_t step = 0;            // 0: none
  std::uint64_t clock = 0;           // the tick that follows it; 0: this client does not tick
  Fate fate = Fate::kOnTheWay;
  std::uint32_t life = 0;    // of the client when it last published this
  std::uint64_t number = 0;  // in that life
  bool repeated = false;
  bool own = false;  // merged in the name of `life`, so that its subscription does not echo it
  bool comes_again = false;  // published before a restart of its subscription, which delivers it
  // Nobody but the gateway knows whether it is merged: it was dead and has been answered
  // `duplicate` since, or its shards were safe at different times and a state was lost between.
  bool in_doubt = false;
};

class ClientActor {
 public:
  using Report = std::function<void(std::string)>;
  static constexpr std::uint32_t kWorker = 0;  // a simulated gateway has one

  ClientActor(const Scenario& scenario,
              std::size_t index,
              std::uint64_t seed,
              Trace& trace,
              Report violation);

  const ClientDraw& draw() const { return draw_; }
  const std::vector<Published>& log() const { return log_; }
  const TopicDraw& topic() const { return topic_; }
  bool alive() const { return client_ != nullptr; }
  std::uint32_t life() const { return life_; }
  // True once per clock that the gateway says is reached and delivered.
  std::optional<std::uint64_t> take_reached_clock() { return std::exchange(reached_, {}); }
  std::uint64_t clocks_reached() const { return clocks_reached_; }
  // The sum of what was delivered to this life, of all elements; false when it does not subscribe.
  bool copy_sum(std::span<std::int64_t> out) const;

  // The process: begins, dies, ends in good order once nothing is unsafe, reads nothing for a
  // while.
  void start(Instant now);
  void crash();
  void leave_when_safe() { leaving_ = client_ != nullptr; }
  // Whether it has said goodbye and ended since this was last asked.
  bool take_left() { return std::exchange(left_, false); }
  void stall(Instant until) { stalled_until_ = until; }

  // The connection. The link must stay until disconnect() or crash().
  bool wants_dial(Instant now) const;
  void on_dial_failed(Instant now) { client_->on_dial_failed(now, kWorker, "no gateway"); }
  void connect(Instant now, std::uint64_t connection, local::Channel& channel);
  void disconnect(Instant now, std::string_view reason);
  std::optional<std::uint64_t> connection() const { return connection_; }
  // Why the connection must be given up; empty while all is well.
  std::string failure(Instant now) const {
    return client_ ? client_->failure(now, kWorker) : std::string();
  }

  Instant next_event() const;
  void turn(Instant now);
  // Publishes nothing new from now on.
  void finish() { finishing_ = true; }
  // Alive, and nothing of it is on the way.
  bool settled() const;
  // The gateway's state is lost: what was safe there is dead.
  void on_state_lost();

 private:
  bool must_fail() const;
  void declare();
  void end();
  void leave(Instant now);
  void act(Instant now);
  void publish_next(Instant now);
  void send(Instant now, std::size_t index);
  Published draw_publish();
  void tick_and_wait(Instant now);
  void finish_wait(Instant now);
  bool polls() const { return draw_.subscribes && index_ % 2 == 1; }
  void poll();
  void on_restart();
  void learn_fates(Instant now);
  bool can_publish(Instant now) const;
  bool has_to_publish() const;

  const Scenario& scenario_;
  std::size_t index_;
  ClientDraw draw_;
  TopicDraw topic_;
  std::string name_;
  Random random_;
  Trace& trace_;
  Report violation_;
  std::unique_ptr<client::Spread> client_;
  std::optional<std::uint64_t> connection_;
  std::vector<float> seed_values_;
  std::optional<std::uint32_t> declared_;  // its topic, once this life has met a gateway
  std::uint32_t life_ = 0;
  bool finishing_ = false;
  bool leaving_ = false;
  bool left_ = false;
  Instant stalled_until_;
  bool poked_ = false;  // has a turn as soon as it reads again
  std::uint32_t turns_ = 0;
  Instant next_publish_;
  std::vector<Published> log_;
  std::vector<std::size_t> to_repeat_;  // indices of the log, the next one last
  std::vector<std::size_t> unsafe_;     // indices of the log, published by this life
  std::uint64_t made_ = 0;
  std::uint64_t last_step_ = 0;
  // Clocks.
  std::uint64_t clock_ = 0;  // the last one ticked
  bool retick_ = false;      // this life has not said its clock yet
  std::optional<std::uint64_t> request_;
  std::uint64_t awaited_ = 0;
  Instant wait_until_;
  std::optional<std::uint64_t> reached_;
  std::uint64_t clocks_reached_ = 0;
};

}  // namespace godwit::sim
