#include "dataplane/port/dpdk/packet_sockets.h"

#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

namespace godwit::port {
namespace {

bool is_on(int descriptor, unsigned interface) {
  sockaddr_ll address{};
  socklen_t bytes = sizeof(address);
  return ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) == 0 &&
         address.sll_family == AF_PACKET && address.sll_ifindex == static_cast<int>(interface);
}

// The kernel begins anew with each answer (packet(7)).
std::uint64_t take_drops(int socket) {
  tpacket_stats counted{};
  socklen_t bytes = sizeof(counted);
  const bool is_told = ::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &counted, &bytes) == 0;
  return is_told ? counted.tp_drops : 0;
}

}  // namespace

PacketSockets::PacketSockets(const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  std::error_code no_proc;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", no_proc)) {
    const std::string name = entry.path().filename();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (index != 0 && is_on(descriptor, index)) {
      sockets_.push_back(descriptor);
      take_drops(descriptor);
    }
  }
}

std::uint64_t PacketSockets::dropped() {
  for (const int socket : sockets_) {
    dropped_ += take_drops(socket);
  }
  return dropped_;
}

}  // namespace godwit::port
