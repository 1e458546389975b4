// Three ledgers, their publishers and subscribers, a lossy network and a killer, from one seed.
//
// The world keeps its own naive sums and says what it found wrong; it knows nothing of how a ledger
// works inside. Only with GODWIT_SIMULATION: the killer uses the crash points.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/crash_point.h"
#include "dataplane/base/random.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {

struct WorldOptions {
  std::uint64_t seed = 0;
  int steps = 200;
  double crash = 0.05;        // of a call into a ledger
  double state_loss = 0.002;  // of a step
  Mutant mutant = Mutant::kNone;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  // Runs to the end and drains; the first thing found wrong, or empty.
  std::string run();
  std::uint64_t crashes() const { return crashes_; }

 private:
  static constexpr std::size_t kSites = 3;
  static constexpr std::uint64_t kWitnesses = 60'000;  // elements from here on change once

  struct Publish {
    PublishRequest request;
    std::vector<std::int64_t> values;
  };
  struct Publisher {
    PublisherId id;
    std::uint64_t next_number = 1;
    InboxIndex inbox;
    std::optional<Publish> unsafe;  // kept until it is safe
    std::optional<Publish> last;    // repeated now and then
  };
  struct Witness {
    std::uint64_t number = 0;  // the site's publish number
    std::uint64_t element = 0;
    std::int64_t value = 0;
  };
  // A local subscriber that publishes too, as publisher 0 of its site.
  struct Subscriber {
    LaneIndex lane;
    std::uint64_t frontier = 0;
    std::uint64_t checksum = 0;
    std::map<std::uint64_t, std::uint64_t> ahead;  // k -> cumulative
    std::vector<std::int64_t> sum;                 // received and own
  };
  struct Transfer {
    std::size_t from = 0;
    std::size_t to = 0;
    std::uint64_t from_life = 0;
    std::uint64_t to_life = 0;
    std::vector<std::byte> bytes;
  };
  struct Node {
    std::unique_ptr<Site> site;
    std::vector<std::int64_t> published;  // the model of P
    std::vector<std::int64_t> detached;   // the model of what lost senders left here
    std::array<Publisher, 2> publishers;
    Subscriber subscriber;
    std::array<LaneIndex, kSites> lanes;
    std::array<IncomingIndex, kSites> incomings;
    std::vector<Witness> witnesses;
    std::uint32_t lives = 0;
  };

  void start_site(std::size_t i);
  void lose_state(std::size_t i);
  void reconnect(std::size_t i);
  void resume(std::size_t i);
  template <class Action>
  bool call(std::size_t i, Action&& action);
  void step();
  void publish(std::size_t i);
  void finish_publish(std::size_t i, Publisher& publisher);
  void repeat_publish(std::size_t i);
  void freeze(std::size_t i, LaneIndex lane, bool everything);
  void send(std::size_t i, std::size_t j);
  void deliver(std::size_t index);
  void receipt(std::size_t i, std::size_t j);
  void serve_subscriber(std::size_t i);
  void add(std::vector<std::int64_t>& sums, const Publish& publish);
  void add_transfer(std::vector<std::int64_t>& sums, std::span<const std::byte> bytes);
  void check_now();
  void drain();
  void check_end();
  void wrong(std::string what);

  WorldOptions options_;
  Random random_;
  std::array<Node, kSites> nodes_;
  std::vector<Transfer> network_;
  std::map<std::array<std::uint64_t, 4>, std::vector<std::byte>>
      sealed_;  // (from life, to, life, k)
  std::uint64_t next_witness_ = kWitnesses;
  std::uint64_t crashes_ = 0;
  bool calm_ = false;
  std::string wrong_;
};

// Calls into the ledger of site i; false when the process died in the call.
template <class Action>
bool World::call(std::size_t i, Action&& action) {
  if (!wrong_.empty()) {
    return false;
  }
  const bool kill = !calm_ && random_.chance(options_.crash);
  crash_plan().points_left = kill ? static_cast<std::int64_t>(random_.below(60)) : -1;
  try {
    action(*nodes_[i].site->ledger);
    crash_plan().points_left = -1;
    return true;
  } catch (const SimulatedCrash&) {
    crash_plan().points_left = -1;
    resume(i);
    return false;
  }
}

}  // namespace godwit::ledger::test
