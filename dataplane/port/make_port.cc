#include "dataplane/port/make_port.h"

#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/udp.h"

namespace godwit::port {
namespace {

Result<std::unique_ptr<Port>> make_dpdk_port(const PortOptions& options) {
#ifdef GODWIT_DPDK
  DpdkOptions dpdk = options.dpdk;
  dpdk.udp_port_first = static_cast<std::uint16_t>(options.ip.udp_port - dpdk.queue);
  auto device = make_dpdk_device(dpdk);
  if (!device) {
    return Failure(device.error());
  }
  auto port = IpPort::make(std::move(*device), options.ip);
  if (!port) {
    return fail(port.error().code, "{}: {}", options.dpdk.device, port.error().message);
  }
  return std::move(*port);
#else
  return fail(Code::kUnsupported,
              "{}: this build has no DPDK; install libdpdk-dev and configure with -DGODWIT_DPDK=ON",
              options.dpdk.device);
#endif
}

}  // namespace

Result<std::unique_ptr<Port>> make_port(const PortOptions& options) {
  switch (options.kind) {
    case PortKind::kUring:
      return make_udp_port({.local = options.local});
    case PortKind::kEpoll:
      return make_udp_port({.local = options.local, .engine = UdpEngine::kEpoll});
    case PortKind::kDpdk:
      return make_dpdk_port(options);
  }
  return fail(Code::kInvalid, "no such port");
}

}  // namespace godwit::port
