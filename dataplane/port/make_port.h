// Makes the port that a configuration asks for, whatever it stands on.
//
//   kUring, kEpoll ─▶ sockets of the kernel               kDpdk ─▶ IpPort over a DPDK device
//
// DPDK is optional in a build; who makes a port does not notice but by the error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/port/dpdk/dpdk_device.h"
#include "dataplane/port/ip/interface.h"
#include "dataplane/port/peer.h"
#include "dataplane/port/port.h"

namespace godwit::port {

enum class PortKind : std::uint8_t {
  kUring,  // io_uring, or epoll when the kernel refuses it
  kEpoll,
  kDpdk,
};

struct PortOptions {
  PortKind kind = PortKind::kUring;
  Peer local;        // of sockets: port 0 lets the system choose
  DpdkOptions dpdk;  // of kDpdk alone, as is `ip`, whose UDP port is `local`'s: the worker's own
  ip::Options ip;
};

// Errors: those of make_udp_port and make_dpdk_device; kUnsupported when DPDK is wanted of a build
// without it.
Result<std::unique_ptr<Port>> make_port(const PortOptions& options);

}  // namespace godwit::port
