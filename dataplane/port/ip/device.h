// Where Ethernet frames enter and leave: what a user-space UDP/IP endpoint stands on.
//
//     IpPort ──reserve, transmit──▶ ┌────────┐ ──▶ DPDK queue pair │ memory
//            ◀──receive, release─── │ Device │ ◀──
//                                   └────────┘
//
// A frame is one buffer of the device, from the destination MAC on and without the frame check
// sequence. Frames never leave dataplane/port: ports turn them into trains.
//
// Thread: one worker owns a device. Memory: the device's; every frame that `receive` or `reserve`
// gave goes back by `release` or `transmit` before the device dies. Nothing is allocated after it
// was made, nothing blocks but `wait`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/units.h"

namespace godwit::port {

using Mac = std::array<std::uint8_t, 6>;

// What a device says about the IP and UDP checksums of a received frame.
enum class Checksums : std::uint8_t {
  kUnknown,  // the endpoint computes them
  kGood,
  kBad
};

struct Frame {
  std::span<std::byte> bytes;  // of `reserve`: all the room there is; shortened before `transmit`
  void* handle = nullptr;      // the device's own
  Checksums received = Checksums::kUnknown;
  // To be transmitted: lengths of the headers whose checksums the device fills in (capability
  // `fills_checksums`); 0: there is nothing to fill in.
  std::uint8_t ethernet_bytes = 0;
  std::uint8_t ip_bytes = 0;
  // Received: a copy of an ARP or ND frame that another worker of this address got and answers.
  bool is_overheard = false;
};

struct DeviceCapabilities {
  Mac mac{};
  std::size_t frame_bytes_max = 0;  // with the Ethernet header, without the frame check sequence
  bool fills_checksums = false;     // IPv4 header and UDP, over a pseudo header the endpoint wrote
  const char* name = "";            // "net_af_packet", "mlx5_pci", "memory"
};

// Monotonic counts since the device was made.
struct DeviceCounters {
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t receive_missed = 0;   // the queue was full, the kernel's included
  std::uint64_t receive_starved = 0;  // there was no buffer
  std::uint64_t receive_errors = 0;   // broken frames
  std::uint64_t transmit_errors = 0;  // taken, and lost
  std::uint64_t transmit_busy = 0;    // not taken: the queue was full
  // Received here and not counted above: other workers' frames and copies for them; those of them
  // that were lost on the way to them.
  std::uint64_t frames_handed_over = 0;
  std::uint64_t handover_missed = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual DeviceCapabilities capabilities() const = 0;
  virtual bool link_up() const = 0;

  // Fills at most `out.size()` frames, returns how many.
  virtual std::size_t receive(Instant now, std::span<Frame> out) = 0;
  // Gives frames of `receive` or `reserve` back unused, in any order.
  virtual void release(std::span<const Frame> frames) = 0;
  // Gets buffers to be filled, at most `out.size()`; fewer when the pool is short.
  virtual std::size_t reserve(std::span<Frame> out) = 0;
  // Takes reserved frames from the front, returns how many; the others are still the caller's.
  virtual std::size_t transmit(Instant now, std::span<const Frame> frames) = 0;

  // As Port's.
  virtual void wait(Duration at_most) = 0;
  virtual void wake() = 0;
  virtual void watch(int descriptor) = 0;
  virtual void unwatch(int descriptor) = 0;

  virtual DeviceCounters counters() const = 0;
};

}  // namespace godwit::port
