#include "dataplane/port/dpdk/card.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/base/log.h"
#include "dataplane/port/dpdk/eal_log.h"
#include "dataplane/port/dpdk/kernel_interface.h"
#include "dataplane/port/dpdk/pci.h"
#include "dataplane/port/dpdk/pool.h"
#include "dataplane/port/dpdk/privileges.h"

namespace godwit::port {
namespace {

constexpr std::uint16_t kRingDescriptors = 1'024;  // chosen: 10 ms of 1 Gbit/s in full frames
// What a thread keeps at hand of a pool: DPDK lets it be half as much again, and what a worker gave
// back of another's pool stays there. Chosen: with any number of workers no more than three eighths
// of a pool rest with the others.
constexpr unsigned kCachedMax = 256;
constexpr unsigned kCachedTotalMax = 1'024;
constexpr std::size_t kRoomPlain = 2'048;  // what most cards receive into by default
constexpr std::uint64_t kTransmitChecksums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kReceiveChecksums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

std::size_t room_bytes(std::size_t mtu) {
  return mtu <= kMtuPlain ? kRoomPlain : kJumboSlotBytes;
}

// A packet socket sends through an interface that the kernel keeps: it must be there, be up and
// carry the packets that we make.
Result<void> check_interface(const CardOptions& options) {
  const DeviceName& device = options.device;
  if (device.interface.empty()) {
    return {};
  }
  const auto found = kernel_interface(device.interface);
  if (!found) {
    return fail(found.error().code, "{}: {}", device.text, found.error().message);
  }
  if (!found->is_up) {
    return fail(Code::kInvalid,
                "{}: interface {} is down: `ip link set dev {} up`",
                device.text,
                device.interface,
                device.interface);
  }
  if (found->mtu < options.mtu) {
    return fail(
        Code::kInvalid,
        "{}: interface {} has an MTU of {}, less than the {} of the configuration: `ip link "
        "set dev {} mtu {}`",
        device.text,
        device.interface,
        found->mtu,
        options.mtu,
        device.interface,
        options.mtu);
  }
  if (found->has_address) {
    log::warn(
        "{}: interface {} has an IP address, so the kernel answers there, too: `ip address "
        "flush dev {}`",
        device.text,
        device.interface,
        device.interface);
  }
  return {};
}

}  // namespace

std::size_t buffer_bytes(const CardOptions& options) {
  // 256: the buffer's own header and what a pool puts around it (at most 64 + 128 bytes in 22.11).
  const std::size_t one = room_bytes(options.mtu) + RTE_PKTMBUF_HEADROOM + 256;
  return one * kBuffers * options.queues;
}

Failure Card::refused(const char* step, int error) const {
  const std::string complaint = take_eal_complaint();
  const std::string advice = advice_on_capabilities(options_.device.driver);
  return fail(advice.empty() ? Code::kIo : Code::kRefused,
              "{}: DPDK cannot {}: {}{}{}",
              options_.device.text,
              step,
              error == -1 ? "its driver refuses" : rte_strerror(std::abs(error)),
              complaint.empty() ? "" : " (" + complaint + ")",
              advice);
}

Result<void> Card::attach() {
  const DeviceName& device = options_.device;
  if (rte_eth_dev_get_port_by_name(device.name.c_str(), &port_) == 0) {
    is_attached_ = true;
    return {};
  }
  int status = rte_dev_probe(device.arguments.c_str());
  if (status == 0) {
    status = rte_eth_dev_get_port_by_name(device.name.c_str(), &port_);
  }
  if (status != 0) {
    if (device.is_pci()) {
      const std::string advice = advice_on_pci(device.text);
      const std::string complaint = take_eal_complaint();
      return fail(Code::kNotFound,
                  "{}: DPDK finds no network card there. {}{}",
                  device.text,
                  advice.empty() ? "`dpdk-devbind.py --status` lists cards and their drivers; most "
                                   "must be bound to vfio-pci"
                                 : advice,
                  complaint.empty() ? "" : " (" + complaint + ")");
    }
    return refused("attach it", status);
  }
  is_attached_ = true;
  return {};
}

Result<void> Card::configure() {
  rte_eth_dev_info info{};
  if (const int status = rte_eth_dev_info_get(port_, &info); status != 0) {
    return refused("describe it", status);
  }
  driver_ = info.driver_name;
  const std::uint16_t pairs = std::min(info.max_rx_queues, info.max_tx_queues);
  if (options_.queues > pairs) {
    return fail(
        Code::kInvalid,
        "{}: has {} queue pair{}, and {} workers want one each: `workers = {}` in [self], or "
        "a device that has more (of a virtual one its arguments may say how many, as "
        "qpairs={} of net_af_packet)",
        options_.device.text,
        pairs,
        pairs == 1 ? "" : "s",
        options_.queues,
        std::bit_floor(pairs),
        options_.queues);
  }
  fills_checksums_ = (info.tx_offload_capa & kTransmitChecksums) == kTransmitChecksums;
  rte_eth_conf wanted{};
  wanted.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  if (fills_checksums_) {
    wanted.txmode.offloads |= kTransmitChecksums;
  }
  wanted.rxmode.offloads = info.rx_offload_capa & kReceiveChecksums;
  if (!options_.device.is_packet_socket()) {
    wanted.rxmode.mtu = static_cast<std::uint32_t>(options_.mtu);
  }
  if (options_.queues > 1) {  // flows are spread by both addresses and UDP ports
    wanted.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    wanted.rx_adv_conf.rss_conf.rss_hf =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |
                                       RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6);
    if (wanted.rx_adv_conf.rss_conf.rss_hf == 0) {
      wanted.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
    }
  }
  wanted.intr_conf.rxq = 1;
  const auto try_quietly = [&] {
    const QuietEal quiet;
    return rte_eth_dev_configure(port_, options_.queues, options_.queues, &wanted);
  };
  int status = try_quietly();
  if (status != 0) {
    wanted.intr_conf.rxq = 0;  // a device without interrupts may say so only here
    status = rte_eth_dev_configure(port_, options_.queues, options_.queues, &wanted);
  }
  if (status != 0) {
    return refused(
        fmt::format("give it {} queue pairs and an MTU of {}", options_.queues, options_.mtu)
            .c_str(),
        status);
  }
  has_interrupts_ = wanted.intr_conf.rxq != 0;
  return {};
}

Result<void> Card::set_up_queue(std::uint16_t queue) {
  const int socket = rte_eth_dev_socket_id(port_);
  rte_mempool* pool = make_pool(
      {.name = fmt::format("godwit-{}-{}", port_, queue),
       .count = kBuffers,
       .cached = std::min(kCachedMax, kCachedTotalMax / options_.queues),
       .room_bytes = static_cast<std::uint16_t>(room_bytes(options_.mtu) + RTE_PKTMBUF_HEADROOM),
       .socket = socket});
  if (pool == nullptr) {
    return fail(Code::kFull,
                "{}: no memory for {} buffers of {} bytes ({}). If other processes took the huge "
                "pages meanwhile: `sysctl vm.nr_hugepages=N` reserves more, huge_pages = \"never\" "
                "does without",
                options_.device.text,
                kBuffers,
                room_bytes(options_.mtu),
                rte_strerror(rte_errno));
  }
  pools_.push_back(pool);
  std::uint16_t receive = kRingDescriptors;
  std::uint16_t transmit = kRingDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port_, &receive, &transmit);
  const auto node = static_cast<unsigned>(socket);
  if (const int status = rte_eth_rx_queue_setup(port_, queue, receive, node, nullptr, pool);
      status != 0) {
    return refused("set up a receive queue", status);
  }
  if (const int status = rte_eth_tx_queue_setup(port_, queue, transmit, node, nullptr);
      status != 0) {
    return refused("set up a transmit queue", status);
  }
  return {};
}

Result<void> Card::run() {
  if (const int status = rte_eth_dev_start(port_); status != 0) {
    return refused("start it", status);
  }
  // Neighbour discovery of IPv6 comes by multicast.
  if (rte_eth_allmulticast_enable(port_) != 0 && rte_eth_promiscuous_enable(port_) != 0) {
    log::debug("{}: takes no multicast; IPv6 neighbours must be configured", options_.device.text);
  }
  take_eal_complaint();
  return {};
}

Result<std::unique_ptr<Card>> Card::start(const CardOptions& options) {
  if (auto checked = check_interface(options); !checked) {
    return Failure(checked.error());
  }
  take_eal_complaint();  // of something else
  std::unique_ptr<Card> card(new Card(options));
  auto done = card->attach().and_then([&] { return card->configure(); });
  for (std::uint16_t queue = 0; done && queue < options.queues; ++queue) {
    done = card->set_up_queue(queue);
  }
  if (done && options.queues > 1) {
    auto steering = Steering::make(options.queues, options.udp_port_first);
    if (steering) {
      card->steering_ = std::move(*steering);
    } else {
      done = fail(steering.error().code, "{}: {}", options.device.text, steering.error().message);
    }
  }
  if (done) {
    done = card->run();
  }
  if (!done) {
    return Failure(done.error());
  }
  log::info("{}: {}, queue pairs: {}, MTU {}{}",
            options.device.text,
            card->driver_,
            options.queues,
            options.mtu,
            card->fills_checksums_ ? ", checksums by the device" : "");
  return card;
}

Card::~Card() {
  if (is_attached_) {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port_, &info);
    rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
    if (info.device != nullptr) {
      rte_dev_remove(info.device);
    }
  }
  steering_.reset();  // with frames of these pools
  for (rte_mempool* pool : pools_) {
    rte_mempool_free(pool);
  }
}

// A device within the process may have no address, and a TAP has that of the kernel's end: they are
// given a locally administered one.
Mac Card::mac() const {
  rte_ether_addr address{};
  rte_eth_macaddr_get(port_, &address);
  if (rte_is_zero_ether_addr(&address) != 0) {
    return {
        0x02, 0, 0, 0, static_cast<std::uint8_t>(port_ >> 8U), static_cast<std::uint8_t>(port_)};
  }
  Mac out{};
  std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), out.begin());
  if (options_.device.driver == "net_tap") {
    constexpr std::uint8_t kOtherEnd = 0x04;
    out[0] = static_cast<std::uint8_t>((out[0] | 0x02U) ^ kOtherEnd);
  }
  return out;
}

}  // namespace godwit::port
