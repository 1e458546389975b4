#include "dataplane/port/dpdk/queue_pair.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/system_time.h"
#include "dataplane/port/dpdk/eal_log.h"
#include "dataplane/port/dpdk/kernel_interface.h"
#include "dataplane/port/epoll/await_epoll.h"

namespace godwit::port {
namespace {

// Ethernet's header and one 802.1Q tag.
constexpr std::size_t kFramingBytes = 14 + 4;
constexpr std::size_t kIpv6HeaderBytes = 40;
// How soon a device is looked at again that would not raise an interrupt.
constexpr Duration kArmRetry = Duration::us(20);

// Makes the thread known to DPDK, for the pools' caches; any number of devices may share it.
class Membership {
 public:
  Membership() : joined_(rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0) {}
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  ~Membership() {
    if (joined_) {
      rte_thread_unregister();
    }
  }

 private:
  bool joined_;
};

void join_thread() {
  thread_local Membership membership;
}

rte_mbuf* buffer_of(const Frame& frame) {
  return static_cast<rte_mbuf*>(frame.handle);
}

std::span<std::byte> bytes_of(rte_mbuf* buffer, std::size_t count) {
  return {rte_pktmbuf_mtod(buffer, std::byte*), count};
}

// Good only when nothing is left for the endpoint to check: the headers of IPv6 have no checksum.
Checksums verdict(const rte_mbuf& buffer) {
  const std::uint64_t ip = buffer.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  const std::uint64_t udp = buffer.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD || udp == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
    return Checksums::kBad;
  }
  const bool ip_good =
      ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || RTE_ETH_IS_IPV6_HDR(buffer.packet_type) != 0;
  return ip_good && udp == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? Checksums::kGood : Checksums::kUnknown;
}

void prepare(const Frame& frame, rte_mbuf& buffer) {
  buffer.data_len = static_cast<std::uint16_t>(frame.bytes.size());
  buffer.pkt_len = buffer.data_len;
  buffer.ol_flags = 0;
  if (frame.ip_bytes == 0) {
    return;
  }
  buffer.tx_offload = rte_mbuf_tx_offload(frame.ethernet_bytes, frame.ip_bytes, 0, 0, 0, 0, 0);
  buffer.ol_flags = frame.ip_bytes == kIpv6HeaderBytes
                        ? RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM
                        : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM;
}

}  // namespace

Result<std::unique_ptr<Device>> QueuePair::open(CardShare share, IdleMode idle) {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (epoll.get() < 0 || wake.get() < 0) {
    return fail(Code::kIo,
                "{}: no epoll or eventfd for queue pair {}: {}{}",
                share.card().options().device.text,
                share.queue(),
                error_text(errno),
                errno == EMFILE ? " (`ulimit -n` says how many there may be)" : "");
  }
  return std::make_unique<QueuePair>(std::move(share), idle, std::move(epoll), std::move(wake));
}

QueuePair::QueuePair(CardShare share, IdleMode idle, Descriptor epoll, Descriptor wake)
    : share_(std::move(share)),
      port_(share_.card().port()),
      queue_(share_.queue()),
      pool_(share_.card().pool(queue_)),
      steering_(share_.card().steering()),
      frame_bytes_max_(share_.card().options().mtu + kFramingBytes),
      idle_(IdleLadder::polling(idle)),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)) {
  watch(wake_.get());
  open_interrupt();
  const DeviceName& device = share_.card().options().device;
  if (queue_ == 0 && device.is_packet_socket()) {
    sockets_ = std::make_unique<PacketSockets>(device.interface);
  }
  if (steering_ != nullptr) {
    bell_ = steering_->bell(queue_);
    watch(bell_);
    steering_->open(queue_);
  }
}

QueuePair::~QueuePair() {
  if (steering_ != nullptr) {
    steering_->close(queue_);
  }
  for (std::size_t index = ready_begin_; index < ready_end_; ++index) {
    rte_pktmbuf_free(ready_[index]);
  }
}

// Drivers differ: one gives an event counter and wants to be asked before each sleep, another the
// device's own descriptor, which is readable while frames wait.
void QueuePair::open_interrupt() {
  if (!share_.card().has_interrupts()) {
    return;
  }
  const QuietEal quiet;
  interrupt_ = rte_eth_dev_rx_intr_ctl_q_get_fd(port_, queue_);
  if (interrupt_ < 0) {
    interrupt_ = -1;
    return;
  }
  must_arm_ = rte_eth_dev_rx_intr_enable(port_, queue_) == 0;
  if (must_arm_) {
    rte_eth_dev_rx_intr_disable(port_, queue_);
  }
  watch(interrupt_);
}

DeviceCapabilities QueuePair::capabilities() const {
  const Card& card = share_.card();
  return {.mac = card.mac(),
          .frame_bytes_max = frame_bytes_max_,
          .fills_checksums = card.fills_checksums(),
          .name = card.driver()};
}

bool QueuePair::link_up() const {
  const DeviceName& device = share_.card().options().device;
  if (!device.interface.empty()) {  // packet and XDP sockets: their drivers always say "up" (22.11)
    return kernel_link_is_up(device.interface);
  }
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

// The endpoint decides about tags, so they belong into the frame.
std::size_t QueuePair::keep_whole(std::span<rte_mbuf*> frames) {
  std::size_t kept = 0;
  for (rte_mbuf* frame : frames) {
    const bool is_whole =
        (frame->nb_segs == 1 || rte_pktmbuf_linearize(frame) == 0) &&
        ((frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 || rte_vlan_insert(&frame) == 0);
    if (is_whole) {
      frames[kept++] = frame;
    } else {
      ++counters_.receive_errors;
      rte_pktmbuf_free(frame);
    }
  }
  return kept;
}

void QueuePair::look() {
  std::span<rte_mbuf*> room(ready_);
  ready_begin_ = 0;
  ready_end_ = 0;
  if (steering_ != nullptr) {  // half of the room, or a busy queue would starve the rings
    ready_end_ = steering_->take(queue_, room.first(room.size() / 2));
    room = room.subspan(ready_end_);
  }
  const std::size_t got =
      rte_eth_rx_burst(port_, queue_, room.data(), static_cast<std::uint16_t>(room.size()));
  for (rte_mbuf* buffer : room.first(got)) {
    rte_mbuf_prefetch_part1(buffer);
  }
  found_ += ready_end_ + got;
  std::size_t kept = keep_whole(room.first(got));
  if (steering_ != nullptr) {
    kept = steering_->sort(queue_, room.first(kept), steered_);
  }
  ready_end_ += kept;
}

Frame QueuePair::lend(rte_mbuf* buffer) {
  const bool is_overheard = steering_ != nullptr && steering_->is_copy(*buffer);
  if (!is_overheard) {
    ++counters_.frames_received;
    counters_.bytes_received += buffer->data_len;
  }
  return {.bytes = bytes_of(buffer, buffer->data_len),
          .handle = buffer,
          .received = verdict(*buffer),
          .is_overheard = is_overheard};
}

std::size_t QueuePair::receive(Instant, std::span<Frame> out) {
  join_thread();
  std::size_t count = 0;
  while (count < out.size()) {
    if (ready_begin_ == ready_end_) {
      look();
      if (ready_end_ == 0) {
        break;
      }
    }
    out[count++] = lend(ready_[ready_begin_++]);
  }
  return count;
}

// Only what a driver attached from elsewhere, or shares, goes back by itself.
void QueuePair::release(std::span<const Frame> frames) {
  std::size_t at = 0;
  while (at < frames.size()) {
    std::array<void*, kBurst> buffers{};
    unsigned count = 0;
    rte_mempool* const pool = buffer_of(frames[at])->pool;
    for (; at < frames.size() && count < kBurst; ++at) {
      rte_mbuf* const buffer = buffer_of(frames[at]);
      if (buffer->pool != pool) {
        break;
      }
      if (rte_mbuf_refcnt_read(buffer) == 1 && RTE_MBUF_DIRECT(buffer)) {
        buffers[count++] = buffer;
      } else {
        rte_pktmbuf_free(buffer);
      }
    }
    rte_mempool_put_bulk(pool, buffers.data(), count);
  }
}

// Buffers rest in a pool as what they are here: one segment that nobody shares. What else a frame
// needs is set when it is transmitted.
std::size_t QueuePair::reserve(std::span<Frame> out) {
  std::size_t count = 0;
  while (count < out.size()) {
    std::array<void*, kBurst> buffers{};
    const std::size_t wanted = std::min<std::size_t>(out.size() - count, kBurst);
    if (rte_mempool_get_bulk(pool_, buffers.data(), static_cast<unsigned>(wanted)) != 0) {
      break;  // all or nothing; the pool is nearly empty, and a full burst would not help it
    }
    for (void* handle : std::span(buffers).first(wanted)) {
      auto* buffer = static_cast<rte_mbuf*>(handle);
      rte_pktmbuf_reset_headroom(buffer);
      Frame& frame = out[count++];
      frame.bytes = bytes_of(buffer, frame_bytes_max_);
      frame.handle = buffer;
      frame.ethernet_bytes = 0;
      frame.ip_bytes = 0;
    }
  }
  return count;
}

std::size_t QueuePair::transmit(Instant, std::span<const Frame> frames) {
  std::size_t sent = 0;
  while (sent < frames.size()) {
    std::array<rte_mbuf*, kBurst> buffers{};
    const std::size_t count = std::min<std::size_t>(frames.size() - sent, kBurst);
    for (std::size_t index = 0; index < count; ++index) {
      const Frame& frame = frames[sent + index];
      buffers[index] = buffer_of(frame);
      GODWIT_ASSERT(frame.bytes.size() <= frame_bytes_max_, "a frame longer than its room");
      prepare(frame, *buffers[index]);
    }
    const std::size_t taken =
        rte_eth_tx_burst(port_, queue_, buffers.data(), static_cast<std::uint16_t>(count));
    counters_.frames_sent += taken;
    for (std::size_t index = 0; index < taken; ++index) {
      counters_.bytes_sent += frames[sent + index].bytes.size();
    }
    sent += taken;
    if (taken < count) {
      counters_.transmit_busy += frames.size() - sent;
      break;
    }
  }
  return sent;
}

bool QueuePair::await_events(Duration at_most) {
  const auto clear = [](int descriptor) {
    std::uint64_t events = 0;
    [[maybe_unused]] const ssize_t cleared = ::read(descriptor, &events, sizeof(events));
  };
  std::array<epoll_event, 8> events{};
  const std::size_t count = await_epoll(epoll_, events, at_most);
  bool is_wanted = false;
  for (const epoll_event& event : std::span(events).first(count)) {
    const bool is_bell = event.data.fd == bell_;
    if (is_bell || event.data.fd == wake_.get() || (event.data.fd == interrupt_ && must_arm_)) {
      clear(event.data.fd);
    }
    is_wanted = is_wanted || !(is_bell || event.data.fd == interrupt_);
  }
  return is_wanted;
}

// Asked for first, then looked once more: a frame that came in between raises no interrupt.
bool QueuePair::await_interrupt(Duration at_most) {
  if (must_arm_ && rte_eth_dev_rx_intr_enable(port_, queue_) != 0) {
    return await_events(kArmRetry);
  }
  look();
  const bool is_wanted = ready_end_ == 0 && await_events(at_most);
  if (must_arm_) {
    rte_eth_dev_rx_intr_disable(port_, queue_);
  }
  return is_wanted;
}

// Without interrupts for one step, after which both queue and rings are looked at again: what
// another worker hands over waits as long as what the device gets, and nobody pays for waking us.
bool QueuePair::rest(Duration step, Duration at_most) {
  if (interrupt_ < 0 || step <= Duration::zero()) {
    return await_events(step);
  }
  if (steering_ == nullptr) {
    return await_interrupt(at_most);
  }
  if (!steering_->doze(queue_)) {  // something was handed over meanwhile
    return await_events(Duration::zero());
  }
  const bool is_wanted = await_interrupt(at_most);
  steering_->rouse(queue_);
  return is_wanted;
}

void QueuePair::wait(Duration at_most) {
  join_thread();
  const Instant end = system_now() + at_most;
  while (ready_begin_ == ready_end_) {
    look();
    const Instant now = system_now();
    const Duration left = end - now;
    if (ready_end_ > 0 || left <= Duration::zero()) {
      return;
    }
    if (rest(idle_.after_turn(now, std::exchange(found_, 0), left), left)) {
      return;
    }
  }
}

void QueuePair::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void QueuePair::watch(int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  const int status = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
  GODWIT_ASSERT(status == 0, "watched twice, or not pollable");
}

void QueuePair::unwatch(int descriptor) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

// The card counts for all its queues together; the first queue tells.
DeviceCounters QueuePair::counters() const {
  DeviceCounters out = counters_;
  out.frames_handed_over = steered_.handed_over;
  out.handover_missed = steered_.missed;
  rte_eth_stats stats{};
  if (queue_ == 0 && rte_eth_stats_get(port_, &stats) == 0) {
    out.receive_missed = stats.imissed + (sockets_ != nullptr ? sockets_->dropped() : 0);
    out.receive_starved = stats.rx_nombuf;
    out.receive_errors += stats.ierrors;
    out.transmit_errors = stats.oerrors;
  }
  return out;
}

}  // namespace godwit::port
