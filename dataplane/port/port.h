// The place where datagrams enter and leave: trains of equal-sized datagrams, one call per burst.
//
//     transport ──transmit(trains)──▶ ┌──────┐ ──▶ io_uring │ epoll │ memory
//               ◀──receive(trains)─── │ Port │ ◀──
//               ───release(trains)──▶ └──────┘
//
// A train is one peer's datagrams laid end to end: every datagram has `segment_bytes` bytes, the
// last may be shorter. The kernel's GSO and GRO carry a train in one call, which is where the
// speed comes from (about 30 times that of single datagrams on the development machine).
//
// Thread: one worker owns a port; only `wake` may be called from other threads.
// Memory: received bytes belong to the port; the caller may change them in place and gives every
//   train back by `release` before the port dies. Sent bytes are the port's only until `transmit`
//   returns.
// Time: `now` is the caller's; only `wait` passes real time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"

namespace godwit::port {

// ECN codepoints of RFC 3168 section 5, as they stand in the IP header.
enum class Ecn : std::uint8_t {
  kNotEct = 0,
  kEct1 = 1,
  kEct0 = 2,
  kCe = 3
};

struct Train {
  Peer peer;                        // the source when received, the destination when sent
  std::uint16_t segment_bytes = 0;  // bytes of every datagram but the last; 1..65527
  std::span<std::byte> bytes;       // all datagrams, end to end; not empty
  // An Ecn value; received by the kernel's sockets: always 0.
  std::uint8_t ecn = 0;
  // Differentiated services codepoint (RFC 2474), 0..63; received but by `loop`: always 0.
  std::uint8_t dscp = 0;
  // Our own end. Received: the address that it came to, where the port is bound to a wildcard
  // address and so may have several. Sent: the address to send from, of which only the host counts.
  // Without a host: the port's one address, or the one that the kernel's route prefers.
  Peer local = {};
};

// What a port can do; fixed for its life.
// The kernel refuses larger trains: 65,535 bytes of IP packet, UDP_MAX_SEGMENTS of older kernels.
// Ports without a kernel take no larger ones either.
inline constexpr std::size_t kTrainBytesMax = 65'000;
inline constexpr std::size_t kTrainSegmentsMax = 64;

struct Capabilities {
  std::size_t mtu = 0;                 // largest UDP payload of one datagram, bytes
  std::size_t train_bytes_max = 0;     // largest train, bytes
  std::size_t train_segments_max = 0;  // most datagrams of a train
  const char* name = "";               // "io_uring", "epoll", "loop"
};

// Monotonic counts since the port was made.
struct Counters {
  std::uint64_t trains_received = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t trains_sent = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t send_busy = 0;        // EAGAIN, ENOBUFS: the kernel's queue was full
  std::uint64_t send_errors = 0;      // any other refusal; the train is lost, as on a network
  std::uint64_t receive_errors = 0;   // refused receives, unknown address families
  std::uint64_t receive_starved = 0;  // times the receive buffers were all in use
  // Datagrams that the kernel dropped because the socket's buffer was full (it counts modulo 2^32);
  // of a device, frames that its queue, or another worker's, had no room for.
  std::uint64_t receive_dropped = 0;
  // Ethernet frames of a device of our own, neighbours' questions included; 0 where the kernel has
  // it.
  std::uint64_t frames_received = 0;
  std::uint64_t frames_sent = 0;
  // Of a device of our own; 0 where neighbours and the link are the kernel's.
  std::uint64_t neighbours_changed = 0;   // another MAC than before: it moved, or is forged
  std::uint64_t neighbours_given_up = 0;  // did not answer, which may be counted again
  std::uint64_t link_downs = 0;           // times that the link went away
};

// What a router on the way said of longer datagrams: they do not pass (RFC 1191, RFC 8201). Anybody
// who can guess addresses and ports may say so: a hint to probe, never a size to trust.
struct PathMtu {
  Peer peer;                       // to whom
  std::size_t datagram_bytes = 0;  // the largest UDP payload that would pass
};

// Frames that a port refused for one reason, since it was made.
struct Refusal {
  std::string_view reason;  // a stable name, also a metric's label
  std::uint64_t count = 0;
};

// What is wrong with a neighbour on the link of a device of our own.
struct NeighbourTrouble {
  enum class Kind : std::uint8_t {
    kSilent,   // it is wanted, and does not say where it is
    kConflict  // another host uses the address that is ours
  };
  Kind kind = Kind::kSilent;
  std::string address;  // of the neighbour; of a conflict: ours
  std::string mac;      // the other host's, "02:00:00:00:00:03"; of a conflict only
  Instant since;        // the first question without an answer; a conflict: when it was heard last
};

class Port {
 public:
  virtual ~Port() = default;

  virtual Capabilities capabilities() const = 0;
  // The address bound; port 0 was replaced by the one the system chose.
  virtual Peer local() const = 0;

  // Fills at most `out.size()` trains, returns how many; never blocks.
  virtual std::size_t receive(Instant now, std::span<Train> out) = 0;
  // Gives received trains back, in any order; `bytes` must be as `receive` set it.
  virtual void release(std::span<const Train> trains) = 0;
  // Sends from the front, returns how many trains were taken; fewer means try again later.
  virtual std::size_t transmit(Instant now, std::span<const Train> trains) = 0;

  // Sleeps until something can be received, a watched descriptor is readable, `wake` is called
  // or `at_most` has passed. May return early. Zero and negative: does not sleep.
  virtual void wait(Duration at_most) = 0;
  // Ends the present or the next `wait`. Any thread.
  virtual void wake() = 0;
  // A descriptor whose readability (level-triggered) ends `wait`; stays the caller's. Unwatch it
  // before closing it.
  virtual void watch(int descriptor) = 0;
  virtual void unwatch(int descriptor) = 0;

  // The oldest hint not yet told; nothing where the kernel keeps them to itself.
  virtual std::optional<PathMtu> poll_path_mtu() { return std::nullopt; }

  virtual Counters counters() const = 0;
  // What `counters` calls refused, by reason; nothing where the kernel keeps it to itself. Valid
  // until the next call.
  virtual std::span<const Refusal> refusals() { return {}; }
  // Nothing where neighbours are the kernel's. Allocates: not for every turn.
  virtual std::vector<NeighbourTrouble> troubles(Instant) const { return {}; }
  // False while a device of our own has no link; true where the link is the kernel's.
  virtual bool link_up() const { return true; }
};

}  // namespace godwit::port
