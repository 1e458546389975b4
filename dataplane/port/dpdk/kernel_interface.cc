#include "dataplane/port/dpdk/kernel_interface.h"

#include <cerrno>
#include <cstring>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "dataplane/port/udp_socket.h"

namespace godwit::port {
namespace {

// False when the kernel refuses; `request` then says nothing.
bool ask(const Descriptor& socket, const std::string& name, unsigned long what, ifreq& request) {
  request = {};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return ::ioctl(socket.get(), what, &request) == 0;
}

bool is_address_of_note(const sockaddr& address) {
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    return IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) == 0;
  }
  return address.sa_family == AF_INET;
}

bool has_address(const std::string& name) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) {
    return false;
  }
  bool found = false;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    found = found || (name == one->ifa_name && one->ifa_addr != nullptr &&
                      is_address_of_note(*one->ifa_addr));
  }
  ::freeifaddrs(all);
  return found;
}

}  // namespace

Result<KernelInterface> kernel_interface(const std::string& name) {
  // Not /sys: after a change of the network namespace it may still show the old one.
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) {
    return fail(Code::kIo, "no socket to ask for {}: {}", name, error_text(errno));
  }
  ifreq request{};
  if (!ask(socket, name, SIOCGIFFLAGS, request)) {
    return fail(errno == ENODEV ? Code::kNotFound : Code::kIo,
                "interface {}: {} (`ip link` lists those of this network namespace)",
                name,
                error_text(errno));
  }
  KernelInterface out;
  out.is_up = (request.ifr_flags & IFF_UP) != 0;
  if (!ask(socket, name, SIOCGIFMTU, request)) {
    return fail(Code::kIo, "interface {}: {}", name, error_text(errno));
  }
  out.mtu = static_cast<std::size_t>(request.ifr_mtu);
  out.has_address = has_address(name);
  return out;
}

bool kernel_link_is_up(const std::string& name) {
  // Any socket will do for this question; this one is of no network.
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  constexpr int kUp = IFF_UP | IFF_RUNNING;
  ifreq request{};
  return socket.get() >= 0 && ask(socket, name, SIOCGIFFLAGS, request) &&
         (request.ifr_flags & kUp) == kUp;
}

}  // namespace godwit::port
