// The UDP port on io_uring: multishot receive into a buffer ring with GRO, sends with GSO, one
// place to sleep.
//
// The ring begins to work on the thread that first uses the port: create it anywhere, use and
// destroy it on the worker's thread.
//
// Thread: one worker; `wake` any. Memory: `receive_buffers` blocks of 64 KiB, allocated at start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <liburing.h>

#include "dataplane/base/ring.h"
#include "dataplane/port/udp_socket.h"

namespace godwit::port {

class UringPort final : public Port {
 public:
  // kUnsupported when the kernel has no io_uring for us (absent, forbidden, older than 6.1).
  static Result<std::unique_ptr<Port>> open(const UdpOptions& options);
  UringPort(UdpSocket socket, Descriptor wake, const UdpOptions& options);
  UringPort(const UringPort&) = delete;
  UringPort& operator=(const UringPort&) = delete;
  ~UringPort() override;

  Capabilities capabilities() const override { return socket_.capabilities("io_uring"); }
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
  static constexpr std::size_t kSendsMax = 32;  // per submission
  struct Watched {
    int descriptor = -1;
    std::uint32_t generation = 0;  // tells a late answer of a former watch
    bool is_armed = false;
  };

  Result<void> start_ring(const UdpOptions& options);
  void begin();  // on the worker's thread
  io_uring_sqe* entry();
  void arm();
  // Handles everything that completed; nothing blocks.
  void drain();
  void on_completion(const io_uring_cqe& completion);
  void on_received(const io_uring_cqe& completion);
  void on_watched(std::uint64_t tag);
  void give_back(std::size_t buffer);
  bool settle_sends(std::span<const Train> trains, std::size_t& taken);

  UdpSocket socket_;
  Descriptor wake_;
  io_uring ring_{};
  bool has_ring_ = false;
  bool has_begun_ = false;
  std::size_t buffers_;
  ReceiveMemory memory_;
  void* buffer_ring_memory_ = nullptr;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  msghdr receive_shape_{};
  bool is_receiving_ = false;
  Ring<Train> ready_;  // received, not yet asked for: at most all buffers
  std::vector<Watched> watched_;
  std::uint32_t generation_ = 0;
  std::array<OutgoingMessage, kSendsMax> outgoing_{};
  std::array<int, kSendsMax> results_{};
  std::size_t sends_under_way_ = 0;
  Counters counters_;
};

}  // namespace godwit::port
