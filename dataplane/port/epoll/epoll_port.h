// The UDP port for kernels that refuse io_uring: recvmmsg and sendmmsg with GRO and GSO, epoll.
//
// Thread: one worker; `wake` any. Memory: `receive_buffers` blocks of 64 KiB, allocated at start.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/port/udp_socket.h"

namespace godwit::port {

class EpollPort final : public Port {
 public:
  static Result<std::unique_ptr<Port>> open(const UdpOptions& options);
  EpollPort(UdpSocket socket, Descriptor epoll, Descriptor wake, const UdpOptions& options);

  Capabilities capabilities() const override { return socket_.capabilities("epoll"); }
  Peer local() const override { return socket_.local(); }
  std::size_t receive(Instant now, std::span<Train> out) override;
  void release(std::span<const Train> trains) override;
  std::size_t transmit(Instant now, std::span<const Train> trains) override;
  void wait(Duration at_most) override;
  void wake() override;
  void watch(int descriptor) override;
  void unwatch(int descriptor) override;
  Counters counters() const override { return socket_.with_drops(counters_); }

 private:
  static constexpr std::size_t kBurst = 16;  // messages per system call

  std::size_t receive_burst(std::span<Train> out, bool& is_drained);

  UdpSocket socket_;
  Descriptor epoll_;
  Descriptor wake_;
  ReceiveMemory memory_;
  std::vector<std::size_t> free_;
  std::array<OutgoingMessage, kBurst> outgoing_{};
  Counters counters_;
};

}  // namespace godwit::port
