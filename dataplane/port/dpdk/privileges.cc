#include "dataplane/port/dpdk/privileges.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/port/udp_socket.h"

namespace godwit::port {
namespace {

struct Capability {
  int number;
  std::string_view name;
};

constexpr Capability kNetAdmin{CAP_NET_ADMIN, "CAP_NET_ADMIN"};
constexpr Capability kNetRaw{CAP_NET_RAW, "CAP_NET_RAW"};
constexpr Capability kIpcLock{CAP_IPC_LOCK, "CAP_IPC_LOCK"};
constexpr Capability kSysAdmin{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"};

// Measured, by leaving out one after the other. af_packet sets the interface's address when it
// starts; libxdp looks up its own program by number, which asks for CAP_SYS_ADMIN.
std::vector<Capability> needed_by(std::string_view driver) {
  if (driver == "net_af_packet") {
    return {kNetRaw, kNetAdmin};
  }
  if (driver == "net_af_xdp") {
    return {kNetRaw, kNetAdmin, kIpcLock, kSysAdmin};
  }
  if (driver == "net_tap") {
    return {kNetAdmin};
  }
  if (driver == "net_pcap") {
    return {kNetRaw};
  }
  return {};
}

// A bit for each effective capability.
std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return ~std::uint64_t{0};  // unknown: blame nothing
  }
  return sets[0].effective | std::uint64_t{sets[1].effective} << 32U;
}

// Whether the network namespace belongs to this process's user namespace or to one below it.
// Capabilities count for nothing in others (user_namespaces(7)).
bool rules_network() {
  const Descriptor network(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (network.get() < 0) {
    return true;  // unknown: blame nothing
  }
  const Descriptor owner(::ioctl(network.get(), NS_GET_USERNS));
  return owner.get() >= 0 || errno != EPERM;
}

}  // namespace

std::vector<std::string_view> missing_capabilities(std::string_view driver) {
  const std::uint64_t effective = effective_capabilities();
  std::vector<std::string_view> missing;
  for (const Capability& capability : needed_by(driver)) {
    if ((effective >> static_cast<unsigned>(capability.number) & 1U) == 0) {
      missing.push_back(capability.name);
    }
  }
  return missing;
}

std::size_t lockable_bytes(std::size_t most) {
  for (std::size_t bytes = most; bytes > 0; bytes /= 2) {
    constexpr int kLocked = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED;
    void* memory = ::mmap(nullptr, bytes, PROT_NONE, kLocked, -1, 0);  // touches nothing
    if (memory != MAP_FAILED) {
      ::munmap(memory, bytes);
      return bytes;
    }
  }
  return 0;
}

bool is_of_host(std::string_view uid_map) {
  unsigned long inside = 1;
  unsigned long outside = 1;
  unsigned long count = 0;
  return std::sscanf(std::string(uid_map).c_str(), "%lu %lu %lu", &inside, &outside, &count) == 3 &&
         inside == 0 && outside == 0 && count == 0xffff'ffffUL;
}

std::string advice_on_capabilities(std::string_view driver) {
  std::ifstream map("/proc/self/uid_map");
  const std::string uid_map(std::istreambuf_iterator<char>(map), {});
  if (driver == "net_af_xdp" && !uid_map.empty() && !is_of_host(uid_map)) {
    return ". AF_XDP puts a program into the kernel, which no capability of a user namespace "
           "allows: run this process as root of the host, or use af_packet";
  }
  const auto missing = missing_capabilities(driver);
  if (missing.empty() && !needed_by(driver).empty() && !rules_network()) {
    return ". This process has its capabilities in a user namespace, which allow nothing in a "
           "network namespace of somebody else: make both at once (`unshare -rUn`)";
  }
  if (missing.empty()) {
    return {};
  }
  return fmt::format(
      ". This process lacks {}: run it as root, give it the capability (`setcap`), or run it in a "
      "network namespace of its own user namespace (`unshare -rUn`)",
      fmt::join(missing, " and "));
}

}  // namespace godwit::port
