#include "dataplane/port/dpdk/kernel_interface.h"

#include <cerrno>
#include <cstring>

#include <net/if.h>
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

}  // namespace

Result<KernelInterface> kernel_interface(const std::string& name) {
  // Not /sys: after a change of the network namespace it may still show the old one.
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) {
    return fail(Code::kIo, "no socket to ask for {}: {}", name, std::strerror(errno));
  }
  ifreq request{};
  if (!ask(socket, name, SIOCGIFFLAGS, request)) {
    return fail(errno == ENODEV ? Code::kNotFound : Code::kIo,
                "interface {}: {} (`ip link` lists those of this network namespace)",
                name,
                std::strerror(errno));
  }
  KernelInterface out;
  out.is_up = (request.ifr_flags & IFF_UP) != 0;
  if (!ask(socket, name, SIOCGIFMTU, request)) {
    return fail(Code::kIo, "interface {}: {}", name, std::strerror(errno));
  }
  out.mtu = static_cast<std::size_t>(request.ifr_mtu);
  out.has_address = ask(socket, name, SIOCGIFADDR, request);
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
