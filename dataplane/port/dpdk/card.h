// A network card or virtual device: attached, configured and started, its queue pairs lent out.
//
//   find or attach ─▶ configure (queues, offloads, MTU) ─▶ a pool and two rings a queue ─▶ start
//
// Buffers hold a whole frame, so that a frame is one piece of memory: endpoints decrypt in place,
// and would have to join pieces first.
//
// Thread: any (the control plane); a mutex guards the list of cards, never a queue.
// Memory: `kBuffers` buffers a queue, for the card's life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/port/device_name.h"
#include "dataplane/port/dpdk/steering.h"
#include "dataplane/port/ip/device.h"

struct rte_mempool;

namespace godwit::port {

struct CardOptions {
  DeviceName device;
  std::uint16_t queues = 1;
  std::size_t mtu = kMtuPlain;
  std::uint16_t udp_port_first = 0;  // as Steering's; of one queue pair: unused

  bool operator==(const CardOptions& other) const {
    return device.text == other.device.text && queues == other.queues && mtu == other.mtu &&
           udp_port_first == other.udp_port_first;
  }
};

// Of each queue pair: 1,024 waiting in either ring, the rest with the worker (chosen; one less than
// a power of two is what a pool of DPDK holds best).
inline constexpr unsigned kBuffers = 4'095;
// What all buffers of a card take, with DPDK's own headers; bytes.
std::size_t buffer_bytes(const CardOptions& options);

class Card {
 public:
  static Result<std::unique_ptr<Card>> start(const CardOptions& options);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card();

  const CardOptions& options() const { return options_; }
  std::uint16_t port() const { return port_; }  // DPDK's number
  rte_mempool* pool(std::uint16_t queue) const { return pools_[queue]; }
  Steering* steering() const { return steering_.get(); }  // null with one queue pair
  Mac mac() const;
  const char* driver() const { return driver_; }
  bool fills_checksums() const { return fills_checksums_; }
  // Received frames wake a sleeper through interrupts that must be asked for.
  bool has_interrupts() const { return has_interrupts_; }

 private:
  explicit Card(CardOptions options) : options_(std::move(options)) {}
  Result<void> attach();
  Result<void> configure();
  Result<void> set_up_queue(std::uint16_t queue);
  Result<void> run();
  Failure refused(const char* step, int error) const;

  CardOptions options_;
  std::uint16_t port_ = 0;
  std::vector<rte_mempool*> pools_;
  std::unique_ptr<Steering> steering_;
  const char* driver_ = "";
  bool is_attached_ = false;
  bool fills_checksums_ = false;
  bool has_interrupts_ = false;
};

// One queue pair's share in a card; the last one that goes stops the card.
class CardShare {
 public:
  // The card that was started for the first share serves the others, if they want the same of it.
  static Result<CardShare> take(const CardOptions& options, std::uint16_t queue);
  CardShare(CardShare&& other) noexcept
      : card_(std::exchange(other.card_, nullptr)), queue_(other.queue_) {}
  CardShare& operator=(CardShare&&) = delete;
  ~CardShare();

  const Card& card() const { return *card_; }
  std::uint16_t queue() const { return queue_; }

 private:
  CardShare(const Card& card, std::uint16_t queue) : card_(&card), queue_(queue) {}

  const Card* card_;
  std::uint16_t queue_;
};

}  // namespace godwit::port
