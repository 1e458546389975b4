// The network namespaces of the sites, each with one TAP device whose other end is the emulator.
//
//   namespace i:  lo,  wan0 = 10.77.i.1/16, 02:77:00:00:00:i, MTU 1500, all neighbours permanent;
//                       who asks by ARP all the same is answered by the emulator
//
// Nothing names a namespace but a descriptor of this process (100 + i), so that they vanish with
// it and with the processes inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/wan/control.h"
#include "bench/wan/os.h"
#include "bench/wan/plan.h"
#include "dataplane/base/result.h"

namespace godwit::wan {

// Descriptor 100 + i is the namespace of site i, so that people can type /proc/PID/fd/100.
inline constexpr int kNamespaceDescriptorFirst = 100;

inline constexpr int kMtu = 1500;

// "10.77.i.1".
std::string address_of(std::size_t site);

// The site that an Ethernet frame is for, by its destination address; nothing for broadcast,
// multicast and strangers, which no link carries.
std::optional<SiteIndex> destination_of(std::span<const std::byte> frame, std::size_t sites);

class Site {
 public:
  Site(Descriptor network_namespace, Descriptor tap, Descriptor device_figures)
      : namespace_(std::move(network_namespace)),
        tap_(std::move(tap)),
        device_figures_(std::move(device_figures)) {}

  int namespace_descriptor() const { return namespace_.get(); }
  int tap_descriptor() const { return tap_.get(); }

  // The next frame that the site has sent; empty when there is none.
  std::span<std::byte> read_frame(std::span<std::byte> buffer);
  void write_frame(std::span<const std::byte> frame);

  // Reads the kernel's counters: a system call.
  TapFigures figures() const;

 private:
  Descriptor namespace_;
  Descriptor tap_;
  Descriptor device_figures_;  // this namespace's /proc/net/dev
  std::uint64_t write_errors_ = 0;
  std::uint64_t frames_in_ = 0;
  std::uint64_t frames_out_ = 0;
};

// Needs CAP_SYS_ADMIN in the current user namespace and /dev/net/tun.
Result<std::vector<Site>> create_sites(std::size_t count);

// Gives this process root's rights in a user namespace of its own. Call it before any thread runs.
Result<bool> enter_user_namespace();

}  // namespace godwit::wan
