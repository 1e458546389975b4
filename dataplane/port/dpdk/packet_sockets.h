// The packet sockets of this process on one interface, and what their rings had no room for: the
// kernel counts it, and DPDK's driver (22.11) does not ask.
//
// Thread: one. The sockets are the driver's, which must outlive this.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::port {

class PacketSockets {
 public:
  // Those that are open by now.
  explicit PacketSockets(const std::string& interface);

  // Frames since then that found their socket's ring full.
  std::uint64_t dropped();

 private:
  std::vector<int> sockets_;
  std::uint64_t dropped_ = 0;
};

}  // namespace godwit::port
