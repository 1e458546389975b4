#include "bench/wan/site.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "dataplane/base/log.h"

namespace godwit::wan {

namespace {

constexpr std::string_view kDevice = "wan0";

// Frames that wait for the emulator; the kernel's default of 500 is one burst of a fast TCP.
constexpr std::uint32_t kTransmitQueueFrames = 4096;

// The greatest TCP buffers inside the sites: two bandwidth-delay products of 1 Gbit/s at 256 ms,
// so that TCP's own limits do not decide a measurement. The least and the default stay Linux's.
constexpr std::string_view kTcpReceive = "4096 131072 67108864";
constexpr std::string_view kTcpSend = "4096 16384 67108864";

// 02: a locally administered address.
std::array<unsigned char, 6> mac_of(std::size_t site) {
  return {0x02, 0x77, 0, 0, 0, static_cast<unsigned char>(site)};
}

ifreq request_for(std::string_view device) {
  ifreq request{};
  std::memcpy(request.ifr_name, device.data(), device.size());
  return request;
}

sockaddr_in internet_address(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, text.c_str(), &address.sin_addr);
  return address;
}

// Kernel settings are wishes: in a user namespace some are not ours to set.
void write_setting(const char* path, std::string_view value) {
  const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) {
    log::debug("{} stays as it is: {}", path, error_text(errno));
  }
}

// `set` fills the union of an ifreq for `device`; then the request is made.
template <class Set>
Result<bool> configure(
    int socket, std::string_view device, unsigned long request, const char* what, Set set) {
  ifreq ifr = request_for(device);
  set(ifr);
  if (::ioctl(socket, request, &ifr) != 0) {
    return system_failure(fmt::format("{} of {}", what, device));
  }
  return true;
}

// By netlink: the ioctl of the same meaning asks for root outside of the user namespace.
Result<bool> set_queue_length() {
  struct {
    nlmsghdr header{};
    ifinfomsg link{};
    rtattr attribute{};
    std::uint32_t frames = kTransmitQueueFrames;
  } request;
  static_assert(sizeof request == NLMSG_LENGTH(sizeof(ifinfomsg)) + RTA_SPACE(4));
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_SETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = static_cast<int>(::if_nametoindex(std::string(kDevice).c_str()));
  request.attribute = {RTA_LENGTH(4), IFLA_TXQLEN};
  const Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct {
    nlmsghdr header{};
    nlmsgerr outcome{};
    std::array<char, 256> rest{};
  } reply;
  if (::send(socket.get(), &request, sizeof request, 0) < 0 ||
      ::recv(socket.get(), &reply, sizeof reply, 0) < 0) {
    return system_failure("queue length");
  }
  if (reply.outcome.error != 0) {
    errno = -reply.outcome.error;
    return system_failure("queue length");
  }
  return true;
}

Result<bool> bring_up(int socket, std::string_view device) {
  return configure(socket, device, SIOCSIFFLAGS, "bringing up", [](ifreq& r) {
    r.ifr_flags = IFF_UP | IFF_RUNNING;
  });
}

Result<bool> set_address(int socket, std::size_t site) {
  const auto put = [](sockaddr& to, const std::string& text) {
    const sockaddr_in address = internet_address(text);
    std::memcpy(&to, &address, sizeof address);
  };
  auto done = configure(socket, kDevice, SIOCSIFADDR, "address", [&](ifreq& r) {
    put(r.ifr_addr, address_of(site));
  });
  if (!done) {
    return done;
  }
  return configure(socket, kDevice, SIOCSIFNETMASK, "netmask", [&](ifreq& r) {
    put(r.ifr_netmask, "255.255.0.0");
  });
}

// Permanent neighbours: no ARP crosses the WAN.
Result<bool> add_neighbours(int socket, std::size_t site, std::size_t sites) {
  for (std::size_t other = 0; other < sites; ++other) {
    if (other == site) {
      continue;
    }
    arpreq request{};
    const sockaddr_in address = internet_address(address_of(other));
    std::memcpy(&request.arp_pa, &address, sizeof address);
    request.arp_ha.sa_family = ARPHRD_ETHER;
    const auto mac = mac_of(other);
    std::memcpy(request.arp_ha.sa_data, mac.data(), mac.size());
    request.arp_flags = ATF_PERM | ATF_COM;
    std::memcpy(request.arp_dev, kDevice.data(), kDevice.size());
    if (::ioctl(socket, SIOCSARP, &request) != 0) {
      return system_failure("adding a neighbour");
    }
  }
  return true;
}

Result<Descriptor> open_tap(std::size_t site) {
  Descriptor tap(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!tap.valid()) {
    return system_failure("opening /dev/net/tun (its usual mode is 0666; `chmod 666` by root)");
  }
  ifreq request = request_for(kDevice);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) {
    return system_failure("making a TAP device");
  }
  ifreq hardware = request_for(kDevice);
  hardware.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  const auto mac = mac_of(site);
  std::memcpy(hardware.ifr_hwaddr.sa_data, mac.data(), mac.size());
  if (::ioctl(tap.get(), SIOCSIFHWADDR, &hardware) != 0) {
    return system_failure("address of the TAP device");
  }
  return tap;
}

// Runs in a thread of its own, which leaves its namespace for a new one.
Result<Site> create_site(std::size_t site, std::size_t sites) {
  if (::unshare(CLONE_NEWNET) != 0) {
    return system_failure("making a network namespace");
  }
  // /proc/self would be the namespace of the main thread.
  const Descriptor opened(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const int wanted = kNamespaceDescriptorFirst + static_cast<int>(site);
  Descriptor network_namespace(::fcntl(opened.get(), F_DUPFD_CLOEXEC, wanted));
  if (network_namespace.get() != wanted) {
    return fail(
        Code::kIo, "descriptor {} is taken; start the emulator with few open files", wanted);
  }
  // Before the device exists: no router solicitations, no multicast reports.
  write_setting("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
  write_setting("/proc/sys/net/ipv4/tcp_rmem", kTcpReceive);
  write_setting("/proc/sys/net/ipv4/tcp_wmem", kTcpSend);
  // A second connection must not start with what the first one learned: runs are independent.
  write_setting("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");

  auto tap = open_tap(site);
  if (!tap) {
    return tl::unexpected(tap.error());
  }
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return system_failure("socket");
  }
  const int fd = socket.get();
  auto done = configure(fd, kDevice, SIOCSIFMTU, "MTU", [](ifreq& r) { r.ifr_mtu = kMtu; })
                  .and_then([&](bool) { return set_queue_length(); })
                  .and_then([&](bool) { return set_address(fd, site); })
                  .and_then([&](bool) { return bring_up(fd, "lo"); })
                  .and_then([&](bool) { return bring_up(fd, kDevice); })
                  .and_then([&](bool) { return add_neighbours(fd, site, sites); });
  if (!done) {
    return tl::unexpected(done.error());
  }
  Descriptor figures(::open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC));
  return Site(std::move(network_namespace), std::move(*tap), std::move(figures));
}

Result<bool> write_map(const char* path, const std::string& text) {
  const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) < 0) {
    return system_failure(path);
  }
  return true;
}

}  // namespace

std::string address_of(std::size_t site) {
  return fmt::format("10.77.{}.1", site);
}

std::optional<SiteIndex> destination_of(std::span<const std::byte> frame, std::size_t sites) {
  static constexpr std::array<std::byte, 5> kPrefix{std::byte{0x02}, std::byte{0x77}};
  if (frame.size() < kEthernetHeaderBytes ||
      std::memcmp(frame.data(), kPrefix.data(), kPrefix.size()) != 0) {
    return std::nullopt;
  }
  const auto site = std::to_integer<std::size_t>(frame[kPrefix.size()]);
  return site < sites ? std::optional(static_cast<SiteIndex>(site)) : std::nullopt;
}

std::span<std::byte> Site::read_frame(std::span<std::byte> buffer) {
  const ssize_t got = ::read(tap_.get(), buffer.data(), buffer.size());
  frames_in_ += got > 0 ? 1 : 0;
  return buffer.first(got > 0 ? static_cast<std::size_t>(got) : 0);
}

void Site::write_frame(std::span<const std::byte> frame) {
  if (::write(tap_.get(), frame.data(), frame.size()) < 0) {
    ++write_errors_;
  } else {
    ++frames_out_;
  }
}

// The line of the device in /proc/net/dev: eight counters received, then sent bytes, packets,
// errors, drops.
TapFigures Site::figures() const {
  TapFigures figures;
  figures.write_errors = write_errors_;
  figures.frames_in = frames_in_;
  figures.frames_out = frames_out_;
  std::array<char, 2048> text{};
  if (::pread(device_figures_.get(), text.data(), text.size() - 1, 0) <= 0) {
    return figures;
  }
  const char* line = std::strstr(text.data(), "wan0:");
  unsigned long long drops = 0;
  if (line != nullptr &&
      std::sscanf(line, "wan0: %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &drops) == 1) {
    figures.drops = drops;
  }
  return figures;
}

Result<std::vector<Site>> create_sites(std::size_t count) {
  std::vector<Site> sites;
  for (std::size_t i = 0; i < count; ++i) {
    Result<Site> site = fail(Code::kIo, "no thread");
    std::thread([&] { site = create_site(i, count); }).join();
    if (!site) {
      return tl::unexpected(site.error());
    }
    sites.push_back(std::move(*site));
  }
  return sites;
}

Result<bool> enter_user_namespace() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) {
    return system_failure("making a user namespace (kernel.unprivileged_userns_clone, AppArmor?)");
  }
  // Without this the kernel does not let an ordinary user write a map of groups.
  if (auto done = write_map("/proc/self/setgroups", "deny"); !done) {
    return done;
  }
  if (auto done = write_map("/proc/self/uid_map", fmt::format("0 {} 1", user)); !done) {
    return done;
  }
  return write_map("/proc/self/gid_map", fmt::format("0 {} 1", group));
}

}  // namespace godwit::wan
