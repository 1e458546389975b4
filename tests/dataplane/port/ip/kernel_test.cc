// The endpoint against the kernel's stack over a TAP interface, both ways and in both families.
//
//     IpPort 10.9.0.1, fd09::1 ══ TAP gw0 ══ kernel 10.9.0.2, fd09::2, and behind it as a router
//                                            10.50.0.1, fd50::1 (its own), 10.60/16, fd60::/64
//                                            (routes of 1,300 bytes back into gw0)
//
// Runs in a network namespace of its own, with a user namespace around it where there is no
// privilege.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/ip/ip_port.h"
#include "tests/dataplane/port/ip/tap_device.h"

namespace godwit::port {
namespace {

constexpr std::uint16_t kOwnPort = 4433;
constexpr std::uint16_t kKernelPort = 7000;
constexpr Duration kPatience = Duration::ms(10'000);

void write_file(const char* path, const std::string& text) {
  std::ofstream(path) << text;
}

void enter_namespace() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWNET) == 0) {
    return;
  }
  ASSERT_EQ(::unshare(CLONE_NEWUSER | CLONE_NEWNET), 0) << "no user namespaces here";
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", user));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
}

void run(const std::string& command) {
  ASSERT_EQ(std::system(("PATH=$PATH:/usr/sbin:/sbin; " + command).c_str()), 0) << command;
}

// A kernel's UDP socket.
class Socket {
 public:
  explicit Socket(const Peer& local)
      : descriptor_(::socket(local.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_storage address{};
    const socklen_t bytes = local.to_sockaddr(address);
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
    ::setsockopt(descriptor_, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
    const int status = ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), bytes);
    EXPECT_EQ(status, 0) << local.format() << ": " << error_text(errno);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(descriptor_); }

  int descriptor() const { return descriptor_; }
  void send(const Peer& to, const std::vector<std::byte>& bytes) const {
    sockaddr_storage address{};
    const socklen_t length = to.to_sockaddr(address);
    const auto sent = ::sendto(
        descriptor_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address), length);
    EXPECT_EQ(sent, static_cast<ssize_t>(bytes.size())) << error_text(errno);
  }
  // False when there is nothing.
  bool receive(Peer& from, std::vector<std::byte>& bytes, int& traffic_class) const {
    bytes.resize(65'536);
    sockaddr_storage address{};
    std::array<char, 256> control{};
    iovec vector{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof(address);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(descriptor_, &message, 0);
    if (got < 0) {
      return false;
    }
    bytes.resize(static_cast<std::size_t>(got));
    from = Peer::from_sockaddr(reinterpret_cast<sockaddr*>(&address), message.msg_namelen).value();
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      traffic_class = 0;
      // IPv4 gives one byte, IPv6 an int; both begin with the byte on this machine.
      std::memcpy(&traffic_class, CMSG_DATA(one), 1);
    }
    return true;
  }

 private:
  int descriptor_;
};

class KernelTest : public ::testing::TestWithParam<bool> {
 protected:
  static void SetUpTestSuite() {
    static const bool kEntered = [] {
      enter_namespace();
      write_file("/proc/sys/net/ipv4/ip_forward", "1");
      write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1");
      run("ip link set dev lo up && ip addr add 10.50.0.1/32 dev lo && "
          "ip -6 addr add fd50::1/128 dev lo nodad");
      return true;
    }();
    ASSERT_TRUE(kEntered);
  }

  void SetUp() override {
    auto device = std::make_unique<TapDevice>("gw0", Mac{2, 0, 0, 0, 0, 1});
    run("ip link set dev gw0 address 02:00:00:00:00:02 up && "
        "ip addr add 10.9.0.2/24 dev gw0 && ip -6 addr add fd09::2/64 dev gw0 nodad && "
        "ip route add 10.60.0.0/16 via 10.9.0.77 dev gw0 mtu lock 1300 && "
        "ip -6 route add fd60::/64 via fd09::77 dev gw0 mtu lock 1300");
    // The kernel takes an IPv6 address for its own a moment later, and sends back until then.
    run("for i in $(seq 500); do "
        "ip -6 route show table local | grep -q '^local fd09::2 ' && exit 0; sleep 0.02; "
        "done; exit 1");
    port_ = IpPort::make(std::move(device),
                         {.v4 = ip::Subnet::parse("10.9.0.1/24").value(),
                          .v6 = ip::Subnet::parse("fd09::1/64").value(),
                          .gateway_v4 = ip::Address::parse("10.9.0.2").value(),
                          .gateway_v6 = ip::Address::parse("fd09::2").value(),
                          .udp_port = kOwnPort})
                .value();
  }

  // Turns the endpoint until `done` says so; echoes what comes if `echoes`, else keeps it.
  bool turn_until(const std::function<bool()>& done, bool echoes = false) {
    const Instant end = system_now() + kPatience;
    std::array<Train, 32> out{};
    while (!done()) {
      if (system_now() > end) {
        return false;
      }
      const std::size_t count = port_->receive(system_now(), out);
      for (const Train& train : std::span(out).first(count)) {
        if (echoes) {
          port_->transmit(system_now(), {&train, 1});
        } else {
          received_.emplace_back(train.bytes.begin(), train.bytes.end());
          last_ = train;
        }
      }
      port_->release(std::span(out).first(count));
      port_->wait(Duration::ms(1));
    }
    return true;
  }

  void send(const Peer& to,
            std::vector<std::byte> bytes,
            std::size_t segment,
            std::uint8_t dscp = 0,
            Ecn ecn = Ecn::kNotEct) {
    const Train train{.peer = to,
                      .segment_bytes = static_cast<std::uint16_t>(segment),
                      .bytes = bytes,
                      .ecn = static_cast<std::uint8_t>(ecn),
                      .dscp = dscp};
    EXPECT_EQ(port_->transmit(system_now(), {&train, 1}), 1U);
  }

  static std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t index = 0; index < size; ++index) {
      bytes[index] = static_cast<std::byte>(index * 31 + size);
    }
    return bytes;
  }

  bool is_v6() const { return GetParam(); }
  Peer peer(const char* v4, const char* v6, std::uint16_t port) const {
    return ip::Address::parse(is_v6() ? v6 : v4).value().with_port(port);
  }
  Peer own() const { return peer("10.9.0.1", "fd09::1", kOwnPort); }
  Peer kernel() const { return peer("10.9.0.2", "fd09::2", kKernelPort); }
  std::size_t datagram_bytes_max() const { return is_v6() ? 1'452 : 1'472; }

  // Exit status of a program that runs while the endpoint turns.
  int exit_status_of(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t child = 0;
    EXPECT_EQ(::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ), 0);
    int status = -1;
    bool has_ended = turn_until([&] { return ::waitpid(child, &status, WNOHANG) == child; });
    if (!has_ended) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::unique_ptr<IpPort> port_;
  std::vector<std::vector<std::byte>> received_;
  Train last_;
};

TEST_P(KernelTest, IsPinged) {
  const char* family = is_v6() ? "-6" : "-4";
  const char* address = is_v6() ? "fd09::1" : "10.9.0.1";
  for (const char* size : {"56", "57", is_v6() ? "1452" : "1472"}) {
    EXPECT_EQ(
        exit_status_of(
            {"ping", family, "-n", "-q", "-c", "3", "-i", "0.05", "-W", "5", "-s", size, address}),
        0);
  }
  EXPECT_EQ(port_->fates().of(ip::Fate::kEcho), 9U);
}

TEST_P(KernelTest, EchoesWhatTheKernelBegan) {
  const Socket socket(kernel());
  for (std::size_t size = 1; size <= datagram_bytes_max(); size += size < 70 ? 1 : 53) {
    const auto bytes = pattern(size);
    socket.send(own(), bytes);
    Peer from;
    std::vector<std::byte> back;
    int traffic_class = 0;
    ASSERT_TRUE(turn_until([&] { return socket.receive(from, back, traffic_class); }, true))
        << size;
    EXPECT_EQ(back, bytes);
    EXPECT_EQ(from, own());
  }
}

TEST_P(KernelTest, IsEchoedWhatItBegan) {
  const Socket socket(kernel());
  const auto bytes = pattern(7 * 1'000 + 10);
  send(kernel(), bytes, 1'000, 46, Ecn::kEct0);
  Peer from;
  std::vector<std::byte> back;
  int traffic_class = 0;
  std::vector<std::byte> joined;
  while (joined.size() < bytes.size()) {
    ASSERT_TRUE(turn_until([&] { return socket.receive(from, back, traffic_class); }));
    EXPECT_EQ(from, own());
    EXPECT_EQ(traffic_class, 46 * 4 + 2);
    joined.insert(joined.end(), back.begin(), back.end());
    const int ce = 3;
    ::setsockopt(socket.descriptor(),
                 is_v6() ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP),
                 is_v6() ? IPV6_TCLASS : IP_TOS,
                 &ce,
                 sizeof(ce));
    socket.send(from, back);
  }
  EXPECT_EQ(joined, bytes);
  ASSERT_TRUE(turn_until([&] { return received_.size() == 8; }));
  EXPECT_EQ(std::accumulate(received_.begin(),
                            received_.end(),
                            std::vector<std::byte>(),
                            [](auto all, const auto& one) {
                              all.insert(all.end(), one.begin(), one.end());
                              return all;
                            }),
            bytes);
  EXPECT_EQ(last_.peer, kernel());
  // The kernel lets no socket set CE; what it makes of it is its affair, but never ECT(0).
  EXPECT_NE(last_.ecn, static_cast<std::uint8_t>(Ecn::kEct0));
}

TEST_P(KernelTest, ReadsTheKernelsEcn) {
  const Socket socket(kernel());
  const int ect0 = 2;
  ASSERT_EQ(::setsockopt(socket.descriptor(),
                         is_v6() ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP),
                         is_v6() ? IPV6_TCLASS : IP_TOS,
                         &ect0,
                         sizeof(ect0)),
            0);
  socket.send(own(), pattern(10));
  ASSERT_TRUE(turn_until([&] { return !received_.empty(); }));
  EXPECT_EQ(last_.ecn, static_cast<std::uint8_t>(Ecn::kEct0));
}

TEST_P(KernelTest, ReachesWhatIsBehindTheGateway) {
  const Peer far = peer("10.50.0.1", "fd50::1", kKernelPort);
  const Socket socket(far);
  send(far, pattern(100), 100);
  Peer from;
  std::vector<std::byte> back;
  int traffic_class = 0;
  ASSERT_TRUE(turn_until([&] { return socket.receive(from, back, traffic_class); }));
  EXPECT_EQ(from, own());
  socket.send(from, back);
  ASSERT_TRUE(turn_until([&] { return !received_.empty(); }));
  EXPECT_EQ(received_[0], pattern(100));
  EXPECT_EQ(last_.peer, far);
}

TEST_P(KernelTest, IsToldThePathMtuByTheKernelAsARouter) {
  const Peer narrow = peer("10.60.0.1", "fd60::1", 9);
  send(narrow, pattern(datagram_bytes_max()), datagram_bytes_max());
  std::optional<PathMtu> told;
  ASSERT_TRUE(turn_until([&] { return (told = port_->poll_path_mtu()).has_value(); }));
  EXPECT_EQ(told->peer, narrow);
  EXPECT_EQ(told->datagram_bytes, is_v6() ? 1'300U - 48U : 1'300U - 28U);
}

TEST_P(KernelTest, IsFoundAgainAfterTheKernelForgotIt) {
  const Socket socket(kernel());
  for (int round = 0; round < 2; ++round) {
    received_.clear();
    socket.send(own(), pattern(10));
    ASSERT_TRUE(turn_until([&] { return !received_.empty(); }));
    run("ip neigh flush dev gw0");
  }
}

// The kernel's own count of UDP checksums that did not hold.
TEST_P(KernelTest, LeavesNoChecksumErrorInTheKernel) {
  send(kernel(), pattern(999), 333);
  const Socket socket(kernel());
  send(kernel(), pattern(1'001), 77);
  Peer from;
  std::vector<std::byte> back;
  int traffic_class = 0;
  ASSERT_TRUE(turn_until([&] { return socket.receive(from, back, traffic_class); }));
  std::ifstream file(is_v6() ? "/proc/self/net/snmp6" : "/proc/self/net/snmp");
  std::stringstream text;
  text << file.rdbuf();
  std::string line;
  std::vector<std::string> names;
  bool has_found = false;
  while (std::getline(text, line)) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (is_v6() && word == "Udp6InCsumErrors") {
      words >> word;
      EXPECT_EQ(word, "0");
      has_found = true;
    } else if (!is_v6() && word == "Udp:") {
      std::vector<std::string> fields;
      while (words >> word) {
        fields.push_back(word);
      }
      for (std::size_t index = 0; index < names.size(); ++index) {
        if (names[index] == "InCsumErrors") {
          EXPECT_EQ(fields.at(index), "0");
          has_found = true;
        }
      }
      names = fields;
    }
  }
  EXPECT_TRUE(has_found);
}

INSTANTIATE_TEST_SUITE_P(Families, KernelTest, ::testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "Ipv6" : "Ipv4");
});

}  // namespace
}  // namespace godwit::port
