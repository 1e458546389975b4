// Two frame devices joined by a wire in memory, under virtual time.
//
//     device a ──frames──▶ delay, loss ──▶ device b      and back
//
// Everything that happens is a function of the calls made and of the Random's seed.
//
// Thread: one. Memory: each end has a pool of `frames` buffers; a frame is one of the sender's
// until the receiver releases it. Nothing is allocated after construction. Time: virtual.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port {

struct MemoryWireOptions {
  std::array<Mac, 2> macs = {Mac{2, 0, 0, 0, 0, 1}, Mac{2, 0, 0, 0, 0, 2}};
  std::size_t frame_bytes_max = 1518;  // Ethernet with a tag
  std::size_t frames = 256;            // buffers of each end
  Duration delay = Duration::zero();   // one way
  bool fills_checksums = false;        // as a network card with checksum offload
};

class MemoryWire {
 public:
  MemoryWire(const MemoryWireOptions& options, Random& random);
  ~MemoryWire();
  MemoryWire(const MemoryWire&) = delete;
  MemoryWire& operator=(const MemoryWire&) = delete;

  // One end, 0 or 1, once each; it must die before the wire.
  std::unique_ptr<Device> open(std::size_t end);

  // Probability that a frame gets lost.
  void set_loss(double loss) { loss_ = loss; }
  // Down: what is sent is lost, what was under way arrives.
  void set_link(bool is_up) { is_up_ = is_up; }
  // When the next frame arrives at either end; never() when none is under way.
  Instant next_event() const;

 private:
  friend class MemoryDevice;
  struct Buffer;
  struct End;

  MemoryWireOptions options_;
  Random& random_;
  double loss_ = 0.0;
  bool is_up_ = true;
  std::array<std::unique_ptr<End>, 2> ends_;
};

}  // namespace godwit::port
