// How a person names a DPDK device, and what DPDK wants to hear of it.
//
//   | 0000:3b:00.0   | a network card by its PCI address, bound to a driver that DPDK knows     |
//   | af_packet:wan0 | a kernel interface through a packet socket: everywhere, for small sites  |
//   | af_xdp:wan0    | a kernel interface through XDP sockets                                   |
//   | tap:godwit0    | a new TAP interface, for what runs on this host                          |
//   | net_ring0      | any other virtual device of DPDK with its arguments, as it is            |
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace godwit::port {

struct DeviceName {
  std::string text;       // as the person wrote it
  std::string driver;     // "net_af_packet"; "pci" for a card, whose driver DPDK finds
  std::string name;       // DPDK's name of the device
  std::string arguments;  // name and arguments, as DPDK attaches it
  std::string interface;  // the kernel's interface that must exist; empty: none
  bool is_pci() const { return driver == "pci"; }
  // Its packets go through the kernel's interface, whose MTU counts and not DPDK's.
  bool is_packet_socket() const { return driver == "net_af_packet"; }
};

// Largest layer-3 packet of an Ethernet without jumbo frames, and with; bytes.
inline constexpr std::size_t kMtuPlain = 1'500;
inline constexpr std::size_t kMtuMax = 9'000;
// Slot of a packet socket's ring that holds a jumbo frame and the kernel's header (chosen: the
// least multiple of a page's quarter); DPDK wants the buffers at least as large.
inline constexpr std::size_t kJumboSlotBytes = 9'216;
// Of a packet socket's two rings for one queue pair with plain frames, 2 x 4,096 slots of 2 KiB.
inline constexpr std::size_t kRingBytesMax = 16U << 20U;

struct DeviceNeeds {
  std::uint16_t queues = 1;     // queue pairs
  std::size_t mtu = kMtuPlain;  // layer 3, bytes
  // Memory that the process may lock: the kernel's rings must fit in.
  std::size_t lockable_bytes = kRingBytesMax;
};

// kInvalid: not a device.
Result<DeviceName> parse_device_name(std::string_view text, const DeviceNeeds& needs = {});

}  // namespace godwit::port
