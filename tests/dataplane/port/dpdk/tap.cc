#include "tests/dataplane/port/dpdk/tap.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dataplane/base/result.h"

namespace godwit::port {

Tap::Tap(const std::string& name, int mtu)
    : descriptor_(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  EXPECT_EQ(::ioctl(descriptor_, TUNSETIFF, &request), 0) << error_text(errno);
  ip(fmt::format("link set dev {} addrgenmode none", name));  // no packets of the kernel's own
  ip(fmt::format("link set dev {} mtu {} up", name, mtu));
}

Tap::~Tap() {
  ::close(descriptor_);
}

void Tap::put(std::span<const std::byte> frame) const {
  EXPECT_EQ(::write(descriptor_, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
}

std::vector<std::byte> Tap::take() const {
  std::vector<std::byte> frame(65'536);
  const ssize_t bytes = ::read(descriptor_, frame.data(), frame.size());
  EXPECT_GT(bytes, 0);
  frame.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return frame;
}

void Tap::ip(const std::string& words) {
  EXPECT_EQ(std::system(("ip " + words).c_str()), 0) << words;
}

}  // namespace godwit::port
