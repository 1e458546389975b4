// What the kernel says about one of its interfaces in this network namespace.
#pragma once

#include <cstddef>
#include <string>

#include "dataplane/base/result.h"

namespace godwit::port {

struct KernelInterface {
  std::size_t mtu = 0;  // layer 3, bytes
  bool is_up = false;   // `ip link set dev NAME up` was done
  // An IPv4 or IPv6 address: the kernel answers what comes, too. A link-local one does not count:
  // nobody sends there what is meant for us.
  bool has_address = false;
};

// kNotFound when there is no such interface, kIo with the system's text.
Result<KernelInterface> kernel_interface(const std::string& name);

// Whether the interface is there, up and has a carrier. Two system calls.
bool kernel_link_is_up(const std::string& name);

}  // namespace godwit::port
