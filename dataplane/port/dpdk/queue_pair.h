// A card's receive and transmit queue as a Device.
//
//   receive ◀─ ready_ ◀─ rte_eth_rx_burst, Steering    wait: look, rest as `Idle` says, look …
//   transmit ─▶ rte_eth_tx_burst                       epoll: wake(), watched descriptors,
//                                                      interrupts, Steering's bell
//
// Frames are DPDK's buffers themselves; nothing is copied here. Most virtual devices of DPDK cannot
// wake a sleeper, so `wait` looks into the queue between short sleeps, and what it finds waits in
// `ready_` for `receive`.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "dataplane/port/dpdk/card.h"
#include "dataplane/port/dpdk/packet_sockets.h"
#include "dataplane/port/dpdk/steering.h"
#include "dataplane/port/idle.h"
#include "dataplane/port/udp_socket.h"

struct rte_mbuf;

namespace godwit::port {

class QueuePair final : public Device {
 public:
  static Result<std::unique_ptr<Device>> open(CardShare share, IdleMode idle);
  QueuePair(CardShare share, IdleMode idle, Descriptor epoll, Descriptor wake);
  ~QueuePair() override;

  DeviceCapabilities capabilities() const override;
  bool link_up() const override;
  std::size_t receive(Instant now, std::span<Frame> out) override;
  void release(std::span<const Frame> frames) override;
  std::size_t reserve(std::span<Frame> out) override;
  std::size_t transmit(Instant now, std::span<const Frame> frames) override;
  void wait(Duration at_most) override;
  void wake() override;
  void watch(int descriptor) override;
  void unwatch(int descriptor) override;
  DeviceCounters counters() const override;

 private:
  static constexpr std::uint16_t kBurst = 32;  // chosen: what drivers are tuned for

  // Fills `ready_`, which is empty.
  void look();
  // Those that are one piece of memory, with their tags; the others are given back.
  std::size_t keep_whole(std::span<rte_mbuf*> frames);
  Frame lend(rte_mbuf* buffer);
  // These are true when somebody else wants the worker: `wake`, a watched descriptor.
  bool await_events(Duration at_most);
  bool await_interrupt(Duration at_most);
  bool rest(Duration step, Duration at_most);
  void open_interrupt();

  CardShare share_;
  std::uint16_t port_;
  std::uint16_t queue_;
  rte_mempool* pool_;
  Steering* steering_;  // null: the card has one queue pair
  std::size_t frame_bytes_max_;
  Idle idle_;
  std::size_t found_ = 0;  // frames since the last empty look of `wait`
  Descriptor epoll_;
  Descriptor wake_;
  int interrupt_ = -1;     // DPDK's descriptor; -1: the device has none
  int bell_ = -1;          // Steering's
  bool must_arm_ = false;  // the interrupt is asked for before each sleep, and cleared after
  std::array<rte_mbuf*, kBurst> ready_{};
  std::size_t ready_begin_ = 0;
  std::size_t ready_end_ = 0;
  DeviceCounters counters_;
  Steering::Counts steered_;
  std::unique_ptr<PacketSockets> sockets_;  // of all queue pairs, with the first one; or null
};

}  // namespace godwit::port
