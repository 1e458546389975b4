#include "dataplane/port/dpdk/dpdk_device.h"

#include "dataplane/port/dpdk/card.h"
#include "dataplane/port/dpdk/privileges.h"
#include "dataplane/port/dpdk/queue_pair.h"

namespace godwit::port {
namespace {

// IPv6 asks every path to carry so much (RFC 8200 section 5).
constexpr std::size_t kMtuMin = 1'280;
constexpr std::uint16_t kQueuesMax = 64;  // chosen: as many as there are shards

}  // namespace

Result<std::unique_ptr<Device>> make_dpdk_device(const DpdkOptions& options) {
  if (options.mtu < kMtuMin || options.mtu > kMtuMax) {
    return fail(Code::kInvalid,
                "{}: an MTU of {} is not from {} to {}",
                options.device,
                options.mtu,
                kMtuMin,
                kMtuMax);
  }
  if (options.queues == 0 || options.queues > kQueuesMax) {
    return fail(Code::kInvalid,
                "{}: {} queue pairs are not from 1 to {}",
                options.device,
                options.queues,
                kQueuesMax);
  }
  constexpr unsigned kPortMax = 65'535;
  if (options.queues > 1 &&
      (options.udp_port_first == 0 || options.udp_port_first + options.queues - 1U > kPortMax)) {
    return fail(Code::kInvalid,
                "{}: {} queue pairs want as many UDP ports from {} on, of 1 to {}",
                options.device,
                options.queues,
                options.udp_port_first,
                kPortMax);
  }
  auto name =
      parse_device_name(options.device,
                        {.queues = options.queues,
                         .mtu = options.mtu,
                         .lockable_bytes = lockable_bytes(kRingBytesMax * 2 * options.queues)});
  if (!name) {
    return Failure(name.error());
  }
  const CardOptions wanted{std::move(*name), options.queues, options.mtu, options.udp_port_first};
  EalOptions environment;
  environment.huge_pages = options.huge_pages;
  environment.memory_bytes = buffer_bytes(wanted);
  if (wanted.device.is_pci()) {
    environment.pci_address = wanted.device.text;
  }
  if (auto started = start_eal(environment); !started) {
    return fail(started.error().code, "{}: {}", options.device, started.error().message);
  }
  auto share = CardShare::take(wanted, options.queue);
  if (!share) {
    return Failure(share.error());
  }
  return QueuePair::open(std::move(*share), options.idle);
}

}  // namespace godwit::port
