// A network in memory under virtual time: ports joined by links with delay, rate, queue and faults.
//
//     port a ──link(a→b)──▶ port b        each direction is a link of its own
//            ◀──link(b→a)──
//
// Everything that happens is a function of the calls made and of the Random's seed, so a test or
// a simulation that fails is repeated exactly by its seed.
//
// Thread: one. Memory: a datagram is one heap buffer from send to release; queues are bounded by
// `queue_bytes` per link when the link has a rate. Time: virtual; nothing here reads a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"

namespace godwit::port {

// How one direction between two ports behaves. The default is a perfect, instant link.
struct LinkConditions {
  Duration delay = Duration::zero();         // one way
  Duration jitter = Duration::zero();        // added to each datagram, uniform in [0, jitter)
  BitRate rate = BitRate::unlimited();       // of layer-3 bytes
  std::uint64_t queue_bytes = 1'000'000;     // drop-tail, layer-3 bytes waiting for the rate
  std::size_t mtu = 65'535;                  // layer-3 bytes; what is larger vanishes
  bool tells_mtu = false;                    // and its sender is told what would pass, at once
  double loss = 0.0;                         // probability per datagram
  double duplicate = 0.0;                    // probability per datagram
  double corrupt = 0.0;                      // probability per datagram that one bit flips
  double reorder = 0.0;                      // probability of a datagram being held back ...
  Duration reorder_delay = Duration::ms(5);  // ... for this long
  bool cut = false;                          // nothing passes, datagrams under way are lost
};

struct LinkCounters {
  std::uint64_t packets_offered = 0;
  std::uint64_t packets_delivered = 0;
  std::uint64_t bytes_delivered = 0;  // layer 3
  std::uint64_t packets_lost = 0;     // by loss or cut
  std::uint64_t packets_dropped = 0;  // by the full queue
  std::uint64_t packets_too_large = 0;
};

class LoopPort;

class LoopNetwork {
 public:
  explicit LoopNetwork(Random& random);
  ~LoopNetwork();
  LoopNetwork(const LoopNetwork&) = delete;
  LoopNetwork& operator=(const LoopNetwork&) = delete;

  // A port bound to `local`, which must be free. The port must die before the network; its death
  // loses what was on the way to it, as a crashed host does.
  std::unique_ptr<Port> open(const Peer& local);

  // Sets the direction from → to. Datagrams already on the way keep their arrival (but see `cut`).
  void set_link(const Peer& from, const Peer& to, const LinkConditions& conditions);
  void set_both(const Peer& a, const Peer& b, const LinkConditions& conditions);
  // What links not set above do.
  void set_default(const LinkConditions& conditions);
  const LinkConditions& link(const Peer& from, const Peer& to) const;
  LinkCounters link_counters(const Peer& from, const Peer& to) const;

  // The next instant at which a datagram arrives somewhere; never() when none is under way.
  Instant next_event() const;
  // Delivers everything due at or before `now` to the ports' receive queues.
  void advance(Instant now);

 private:
  friend class LoopPort;
  struct Flight;
  struct Link;
  struct Later;

  Link& link_between(const Peer& from, const Peer& to);
  void send(Instant now, const Peer& from, const Train& train);
  void launch(Instant at,
              Link& link,
              const Peer& from,
              const Train& train,
              std::span<const std::byte> datagram);
  void close(const Peer& local);

  Random& random_;
  LinkConditions default_;
  std::map<std::pair<Peer, Peer>, std::unique_ptr<Link>> links_;
  std::unordered_map<Peer, LoopPort*> ports_;
  std::vector<std::unique_ptr<Flight>> flights_;  // a heap by (arrival, sequence)
  std::uint64_t sequence_ = 0;
};

}  // namespace godwit::port
