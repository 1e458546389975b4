// A UDP socket with our settings, and the control messages for trains (GSO, GRO), for both engines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <sys/socket.h>

#include "dataplane/base/result.h"
#include "dataplane/port/port.h"
#include "dataplane/port/udp.h"

namespace godwit::port {

// A file descriptor with an owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

// Room for the control messages of one datagram in either direction: the size of its segments, its
// traffic class and its own address, 24, 24 and 40 bytes.
inline constexpr std::size_t kControlRoom = 96;
// A GRO train is at most one IP packet's worth.
inline constexpr std::size_t kReceiveBytesMax = 65'536;

// One outgoing message with everything it points to; must not move while the kernel uses it.
struct OutgoingMessage {
  msghdr header{};
  iovec vector{};
  sockaddr_storage address{};
  alignas(cmsghdr) std::array<std::byte, kControlRoom> control{};
};

class UdpSocket {
 public:
  // Opened, bound, not blocking, DF set, GRO on, buffers enlarged. Logs when the kernel granted
  // less than half of the buffers.
  static Result<UdpSocket> open(const UdpOptions& options);

  int descriptor() const { return descriptor_.get(); }
  const Peer& local() const { return local_; }
  Capabilities capabilities(const char* name) const;

  // Datagrams dropped because the receive buffer was full (or broken), modulo 2^32; 0 when the
  // kernel does not say (older than Linux 4.12).
  std::uint32_t dropped() const;
  Counters with_drops(Counters counters) const {
    counters.receive_dropped = dropped();
    return counters;
  }

  // Points `message` at `train`; segmentation by the kernel when it has several datagrams, the
  // IP header's traffic class when the train has a codepoint, and the address to send from when the
  // socket has several and the train names one.
  void prepare(const Train& train, OutgoingMessage& message) const;
  // Sends datagram by datagram, for devices whose driver refuses segmentation (EIO, EINVAL).
  // Returns 0, or the errno of the first one that is refused; that and what follows is lost.
  int send_singly(const Train& train) const;

 private:
  Descriptor descriptor_;
  Peer local_;
};

// What the control messages of a received message tell.
struct ReceivedControl {
  std::uint16_t segment_bytes = 0;  // 0: it is one datagram
  Peer local;                       // the host that it was sent to; the port stays 0

  void read(const cmsghdr& message);
};

// The train that a received message is. nullopt: no address, cut short, or empty.
std::optional<Train> received_train(const void* name,
                                    socklen_t name_bytes,
                                    std::span<std::byte> payload,
                                    int flags,
                                    const ReceivedControl& control);

inline bool is_busy(int error) {
  return error == EAGAIN || error == ENOBUFS;
}
// Trains sent together, each of which the kernel took or refused (a negative errno): how many are
// done with. Those after the last one that was not refused for want of room may be offered again;
// one before it is lost, as on a network, for with it all that went would be offered twice.
std::size_t done_with(std::span<const int> results);
inline std::size_t packets_of(const Train& train) {
  return (train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes;
}

// A memory block for received trains, split into `count` buffers of `stride` bytes. All of it is
// touched at once, so that nobody makes the process grow by what he sends.
class ReceiveMemory {
 public:
  ReceiveMemory(std::size_t count, std::size_t stride);
  std::byte* at(std::size_t index) { return bytes_.get() + index * stride_; }
  // The buffer that holds `place`, which must lie inside.
  std::size_t index_of(const std::byte* place) const;
  std::size_t count() const { return count_; }
  std::size_t stride() const { return stride_; }

 private:
  std::size_t count_;
  std::size_t stride_;
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace godwit::port
