// Hands frames to the worker whose UDP port they are for, when another worker's queue got them.
//
//     queue 0 ─ rx_burst ─▶ sort ─▶ worker 0        each arrow between two workers is a ring of its
//                             ╲ ╱▶                  own: one writes, one reads, nobody waits
//                             ╱ ╲▶
//     queue 1 ─ rx_burst ─▶ sort ─▶ worker 1        take ◀─ rings to me
//
// A card spreads frames by a hash of their addresses and ports, and knows nothing of who wants
// them; `ip/addressee.h` does. ARP and neighbour discovery are answered by the worker that got
// them, and all others hear a copy. A ring that is full loses the frame, as a network would; copies
// fill a ring to its half at most, so no flood of questions crowds out datagrams.
//
// Thread: `sort`, `take`, `open`, `close`, `doze`, `rouse` of a worker are called by its thread
// alone. Memory: fixed; a frame is a buffer of the pool of the queue that got it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/port/udp_socket.h"

struct rte_mbuf;
struct rte_ring;

namespace godwit::port {

class Steering {
 public:
  struct Counts {
    std::uint64_t handed_over = 0;  // frames that were another worker's, and copies for others
    std::uint64_t missed = 0;       // of these: there was no room, or the worker is not there
  };

  // 2 to 64 workers; worker i has UDP port `udp_port_first` + i. kFull: no memory; kIo: no eventfd.
  static Result<std::unique_ptr<Steering>> make(std::uint16_t workers,
                                                std::uint16_t udp_port_first);
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;
  // Gives back what nobody took.
  ~Steering();

  // What is for a worker before `open` and after `close` is lost.
  void open(std::uint16_t worker);
  void close(std::uint16_t worker);

  // `frames` came out of the worker's queue, each one piece of memory. Those that it keeps move to
  // the front, in order; returns how many. The others are not the caller's any more.
  std::size_t sort(std::uint16_t worker, std::span<rte_mbuf*> frames, Counts& counts);
  // Frames that others got for the worker, in each one's order; returns how many.
  std::size_t take(std::uint16_t worker, std::span<rte_mbuf*> out);
  // Whether a frame that was taken is a copy of one that another worker answers.
  bool is_copy(const rte_mbuf& frame) const;

  // Becomes readable when a dozing worker is handed something; the worker clears it by reading.
  int bell(std::uint16_t worker) const { return inboxes_[worker].bell.get(); }
  // From now on the bell is rung. False: there is something to take already.
  bool doze(std::uint16_t worker);
  void rouse(std::uint16_t worker);

 private:
  static constexpr unsigned kRingFramesMax = 1'024;  // chosen: what a card's own queue holds
  static constexpr unsigned kRingFramesMin = 32;     // one burst
  // Of one worker's 4,095 buffers these many may wait in others' rings at most, but for the least.
  static constexpr unsigned kHandedOverMax = 1'024;

  struct alignas(64) Inbox {  // a cache line of its own
    Descriptor bell;
    std::atomic<bool> is_open = false;
    std::atomic<bool> is_dozing = false;
    std::size_t next = 0;  // whose ring is emptied first; the owner's
  };
  struct FreeRing {
    // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): of aligned_alloc
    void operator()(rte_ring* ring) const { std::free(ring); }
  };

  Steering(std::uint16_t workers, std::uint16_t udp_port_first)
      : workers_(workers), udp_port_first_(udp_port_first), inboxes_(workers) {}

  Result<void> set_up();
  rte_ring* ring(std::size_t from, std::size_t to) const {
    return rings_[from * workers_ + to].get();
  }
  // The frame is the other worker's then, or lost.
  void hand_over(std::size_t from, std::size_t to, rte_mbuf* frame, Counts& counts);
  void copy_to_others(std::size_t from, rte_mbuf* frame, Counts& counts);
  void ring_bell(std::size_t to);

  std::uint16_t workers_;
  std::uint16_t udp_port_first_;
  std::uint64_t copy_flag_ = 0;  // of DPDK's buffers, registered by name
  std::vector<Inbox> inboxes_;
  std::vector<std::unique_ptr<rte_ring, FreeRing>>
      rings_;  // by writer, then reader; none to itself
  unsigned ring_frames_ = 0;
};

}  // namespace godwit::port
