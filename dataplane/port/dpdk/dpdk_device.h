// Opens the queue pairs of network cards and virtual devices that DPDK drives.
//
//     worker 0 ── Device ── queue pair 0 ┐ steering: to whom it is sent
//     worker 1 ── Device ── queue pair 1 ┴─ card (started with the first, stopped with the last)
//
// This header is all that the rest of Godwit sees of DPDK; no rte_ name leaves the folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/port/dpdk/eal.h"
#include "dataplane/port/idle.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port {

struct DpdkOptions {
  std::string device;        // as dataplane/port/device_name.h reads it
  std::uint16_t queues = 1;  // queue pairs of the card: one a worker, the same for all workers
  std::uint16_t queue = 0;   // this worker's
  // Of the first worker; worker i has this one + i, and gets what is sent there, whichever queue
  // it came to. With one queue pair: not looked at.
  std::uint16_t udp_port_first = 0;
  std::size_t mtu = 1'500;  // layer 3, 1280 to 9000 bytes
  HugePages huge_pages = HugePages::kAuto;
  IdleMode idle = IdleMode::kWait;
};

// Starts DPDK and the card when they are not yet. Errors name the device, what is missing and what
// to do: kInvalid (no such kind, impossible number), kNotFound (no such device), kRefused
// (permission), kFull (memory), kIo with DPDK's words.
Result<std::unique_ptr<Device>> make_dpdk_device(const DpdkOptions& options);

}  // namespace godwit::port
