// Devices on kernel interfaces, without root: run inside `unshare -rUn`.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/dpdk/dpdk_device.h"
#include "dataplane/port/dpdk/kernel_interface.h"
#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/make_port.h"
#include "dataplane/port/udp.h"
#include "dataplane/port/udp_socket.h"
#include "tests/dataplane/port/dpdk/tap.h"
#include "tests/dataplane/port/ip/frames.h"

namespace godwit::port {
namespace {

using ::testing::HasSubstr;

constexpr Duration kForEver = Duration::seconds(3'600);  // a test that waits so long has hung

std::unique_ptr<Device> open(const DpdkOptions& options) {
  auto device = make_dpdk_device(options);
  EXPECT_TRUE(device.has_value()) << device.error().message;
  return device ? std::move(*device) : nullptr;
}

// A frame of a type that no stack answers (IEEE 802 local experiments); `tag` puts it into a VLAN.
std::vector<std::byte> experiment(const Mac& to, std::size_t bytes, bool tag = false) {
  std::vector<std::byte> frame(bytes);
  for (std::size_t at = 0; at < bytes; ++at) {
    frame[at] = static_cast<std::byte>(at * 5 + 1);
  }
  std::transform(to.begin(), to.end(), frame.begin(), [](auto octet) { return std::byte{octet}; });
  const std::array<int, 12> rest{2, 0, 0, 0, 0, 9, 0x88, 0xb5};
  const std::array<int, 12> tagged{2, 0, 0, 0, 0, 9, 0x81, 0x00, 0, 7, 0x88, 0xb5};
  const std::size_t count = tag ? 12 : 8;
  for (std::size_t at = 0; at < count; ++at) {
    frame[6 + at] = static_cast<std::byte>(tag ? tagged[at] : rest[at]);
  }
  return frame;
}

void expect_in(Device& device, const Tap& tap, const std::vector<std::byte>& frame) {
  tap.put(frame);
  std::array<Frame, 1> in{};
  while (device.receive(system_now(), in) == 0) {
    device.wait(kForEver);
  }
  EXPECT_TRUE(std::equal(in[0].bytes.begin(), in[0].bytes.end(), frame.begin(), frame.end()))
      << in[0].bytes.size() << " bytes for " << frame.size();
  device.release(in);
}

void send(Device& device, const std::vector<std::byte>& frame) {
  std::array<Frame, 1> out{};
  ASSERT_EQ(device.reserve(out), 1U);
  ASSERT_GE(out[0].bytes.size(), frame.size());
  std::copy(frame.begin(), frame.end(), out[0].bytes.begin());
  out[0].bytes = out[0].bytes.first(frame.size());
  ASSERT_EQ(device.transmit(system_now(), out), 1U);
}

void expect_both_ways(Device& device, const Tap& tap, const std::vector<std::byte>& frame) {
  expect_in(device, tap, frame);
  send(device, frame);
  EXPECT_EQ(tap.take(), frame);
}

TEST(DpdkInterface, PacketSocketCarriesFramesBothWays) {
  const Tap tap("plain0");
  const auto device = open({.device = "af_packet:plain0"});
  const Mac mac = device->capabilities().mac;
  EXPECT_NE(mac, Mac{});
  expect_both_ways(*device, tap, experiment(mac, 60));
  expect_both_ways(*device, tap, experiment(mac, 1'514));
  const DeviceCounters counters = device->counters();
  EXPECT_EQ(counters.frames_sent, 2U);
  EXPECT_EQ(counters.frames_received, 2U);
  EXPECT_EQ(counters.transmit_errors, 0U);
}

TEST(DpdkInterface, CountsWhatAPacketSocketsRingHadNoRoomFor) {
  const Tap tap("flooded0");
  const auto device = open({.device = "af_packet:flooded0"});
  EXPECT_EQ(device->counters().receive_missed, 0U);
  constexpr std::size_t kFrames = 5'000;  // more than a ring's 4,096 slots
  const std::vector<std::byte> frame = experiment(device->capabilities().mac, 60);
  std::array<Frame, 32> in{};
  std::size_t received = 0;
  for (const std::size_t round : {1U, 2U}) {
    for (std::size_t count = 0; count < kFrames; ++count) {
      tap.put(frame);
    }
    while (const std::size_t count = device->receive(system_now(), in)) {
      received += count;
      device->release(std::span(in).first(count));
    }
    EXPECT_GE(device->counters().receive_missed, round * (kFrames - 4'096));
    EXPECT_EQ(received + device->counters().receive_missed, round * kFrames);
  }
}

TEST(DpdkInterface, PacketSocketKeepsTags) {
  const Tap tap("tagged0");
  const auto device = open({.device = "af_packet:tagged0"});
  expect_both_ways(*device, tap, experiment(device->capabilities().mac, 100, true));
}

TEST(DpdkInterface, PacketSocketCarriesJumboFrames) {
  const Tap tap("jumbo0", 9'000);
  const auto device = open({.device = "af_packet:jumbo0", .mtu = 9'000});
  expect_both_ways(*device, tap, experiment(device->capabilities().mac, 9'014));
}

TEST(DpdkInterface, RefusesAnInterfaceThatIsDownOrTooSmall) {
  const Tap tap("small0");
  const auto big = make_dpdk_device({.device = "af_packet:small0", .mtu = 9'000});
  ASSERT_FALSE(big.has_value());
  EXPECT_THAT(big.error().message, HasSubstr("`ip link set dev small0 mtu 9000`"));
  Tap::ip("link set dev small0 down");
  const auto down = make_dpdk_device({.device = "af_packet:small0"});
  ASSERT_FALSE(down.has_value());
  EXPECT_THAT(down.error().message, HasSubstr("`ip link set dev small0 up`"));
}

TEST(DpdkInterface, SeesThatTheKernelAnswersThereToo) {
  const Tap tap("owned0");
  EXPECT_FALSE(kernel_interface("owned0")->has_address);
  Tap::ip("address add fe80::9/64 dev owned0");
  EXPECT_FALSE(kernel_interface("owned0")->has_address) << "link-local";
  Tap::ip("address add fd09::9/64 dev owned0");
  EXPECT_TRUE(kernel_interface("owned0")->has_address);
  Tap::ip("address flush dev owned0");
  EXPECT_FALSE(kernel_interface("owned0")->has_address);
  Tap::ip("address add 10.9.0.9/24 dev owned0");
  EXPECT_TRUE(kernel_interface("owned0")->has_address);
}

TEST(DpdkInterface, SaysWhyAfXdpDoesNotWorkInAUserNamespace) {
  const Tap tap("xdp0");
  const auto device = make_dpdk_device({.device = "af_xdp:xdp0"});
  ASSERT_FALSE(device.has_value());
  EXPECT_EQ(device.error().code, Code::kRefused);
  EXPECT_THAT(device.error().message, HasSubstr("af_xdp:xdp0: DPDK cannot"));
  EXPECT_THAT(device.error().message, HasSubstr("no capability of a user namespace"));
}

TEST(DpdkInterface, SeesTheLinkGoDownAndComeBack) {
  const Tap tap("flap0");
  const auto device = open({.device = "af_packet:flap0"});
  EXPECT_TRUE(device->link_up());
  Tap::ip("link set dev flap0 down");
  EXPECT_FALSE(device->link_up());
  const auto early = experiment(device->capabilities().mac, 60);
  send(*device, early);
  Tap::ip("link set dev flap0 up");
  EXPECT_TRUE(device->link_up());
  const auto late = experiment(device->capabilities().mac, 61);
  expect_in(*device, tap, late);
  // The kernel tells of the outage once more when it is asked to send; the ring keeps the frames.
  send(*device, late);
  send(*device, late);
  EXPECT_EQ(tap.take(), early);
  EXPECT_EQ(tap.take(), late);
  EXPECT_EQ(tap.take(), late);
}

TEST(DpdkInterface, IsOpenedAgainAfterItWasClosed) {
  const Tap tap("again0");
  for (int round = 0; round < 3; ++round) {
    const auto device = open({.device = "af_packet:again0"});
    expect_both_ways(*device, tap, experiment(device->capabilities().mac, 60));
  }
}

// A port over DPDK's own TAP device, and the kernel's stack on the other side of it: neighbours
// are found both ways, and the device's checksums are the kernel's.
TEST(DpdkInterface, TalksWithTheKernelOverATapDevice) {
  PortOptions options;
  options.kind = PortKind::kDpdk;
  options.local = *Peer::parse("10.9.0.1:4433");
  options.dpdk.device = "tap:dpdk0";
  options.ip.v4 = *ip::Subnet::parse("10.9.0.1/24");
  options.ip.udp_port = 4'433;
  auto ours = make_port(options);
  ASSERT_TRUE(ours.has_value()) << ours.error().message;
  Tap::ip("address add 10.9.0.2/24 dev dpdk0");
  auto theirs =
      make_udp_port({.local = *Peer::parse("10.9.0.2:4434"), .engine = UdpEngine::kEpoll});
  ASSERT_TRUE(theirs.has_value()) << theirs.error().message;

  const auto carry = [](Port& from, Port& to, std::size_t bytes) {
    std::vector<std::byte> data(bytes, std::byte{0x5a});
    const Train train{
        .peer = to.local(), .segment_bytes = static_cast<std::uint16_t>(bytes), .bytes = data};
    ASSERT_EQ(from.transmit(system_now(), {&train, 1}), 1U);
    std::array<Train, 4> in{};
    std::size_t count = 0;
    while ((count = to.receive(system_now(), in)) == 0) {
      to.wait(Duration::ms(5));
      from.wait(Duration::ms(1));  // answers questions about itself
      std::array<Train, 1> none{};
      EXPECT_EQ(from.receive(system_now(), none), 0U);
    }
    ASSERT_EQ(count, 1U);
    EXPECT_EQ(in[0].peer, from.local());
    EXPECT_TRUE(std::equal(in[0].bytes.begin(), in[0].bytes.end(), data.begin(), data.end()));
    to.release(std::span(in).first(count));
  };
  carry(**ours, **theirs, 1'400);
  carry(**theirs, **ours, 1'401);
  carry(**ours, **theirs, 7);
  EXPECT_EQ((*ours)->counters().packets_sent, 2U);
  EXPECT_EQ((*ours)->counters().packets_received, 1U);
}

void put(const Tap& tap, const frames::Octets& frame) {
  tap.put(std::as_bytes(std::span(frame)));
}

// What `ethtool -K NAME tx off` does: the kernel fills checksums in before the interface.
void fill_checksums_before(const std::string& name) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&off);
  ASSERT_EQ(::ioctl(socket.get(), SIOCETHTOOL, &request), 0) << error_text(errno);
}

// A kernel on the same host leaves the checksum to the interface, and a virtual one to the
// receiver; a packet socket hands it over as it is, and DPDK's driver does not tell.
TEST(DpdkInterface, RefusesWhatAKernelBesideItLeavesUnfinishedUntilItFinishesIt) {
  Tap::ip("link add own0 type veth peer name far0");
  Tap::ip("link set dev own0 up");
  Tap::ip("link set dev far0 up");
  Tap::ip("address add 10.9.0.2/24 dev far0");
  PortOptions options;
  options.kind = PortKind::kDpdk;
  options.dpdk.device = "af_packet:own0";
  options.ip.v4 = *ip::Subnet::parse("10.9.0.1/24");
  options.ip.udp_port = 4'433;
  auto ours = make_port(options);
  ASSERT_TRUE(ours.has_value()) << ours.error().message;
  auto theirs =
      make_udp_port({.local = *Peer::parse("10.9.0.2:4434"), .engine = UdpEngine::kEpoll});
  ASSERT_TRUE(theirs.has_value()) << theirs.error().message;
  std::vector<std::byte> data(100, std::byte{7});
  const Train train{.peer = *Peer::parse("10.9.0.1:4433"), .segment_bytes = 100, .bytes = data};
  const auto arrives = [&] {
    const std::uint64_t refused = (*ours)->counters().receive_errors;
    EXPECT_EQ((*theirs)->transmit(system_now(), {&train, 1}), 1U);
    std::array<Train, 4> in{};
    while (true) {  // or the test hangs and is ended
      const std::size_t count = (*ours)->receive(system_now(), in);
      (*ours)->release(std::span(in).first(count));
      if (count > 0 || (*ours)->counters().receive_errors > refused) {
        return count > 0;
      }
      (*ours)->wait(Duration::ms(5));
    }
  };
  while (static_cast<IpPort&>(**ours).fates().of(ip::Fate::kBadChecksum) == 0) {
    EXPECT_FALSE(arrives());  // whatever else the kernel says on that link, no datagram does
  }
  fill_checksums_before("far0");
  while (!arrives()) {
  }
  EXPECT_EQ(static_cast<IpPort&>(**ours).fates().of(ip::Fate::kBadChecksum), 1U);
}

// Workers that share a packet socket's interface: the kernel spreads flows over their queues and
// knows nothing of whose they are, and only one of them hears the answers about neighbours.
class DpdkWorkers : public ::testing::TestWithParam<int> {};

TEST_P(DpdkWorkers, EachGetWhatIsSentToTheirPortWhicheverQueueItCameTo) {
  using namespace frames;
  constexpr std::uint16_t kFirstPort = 4'433;
  constexpr std::uint16_t kFlows = 64;
  const auto workers = static_cast<std::uint16_t>(GetParam());
  const std::string name = fmt::format("workers{}", workers);
  const Tap tap(name);
  std::vector<std::unique_ptr<Port>> ports;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    PortOptions options;
    options.kind = PortKind::kDpdk;
    options.dpdk.device = "af_packet:" + name;
    options.dpdk.queues = workers;
    options.dpdk.queue = worker;
    options.ip.v4 = *ip::Subnet::parse("10.9.0.1/24");
    options.ip.udp_port = static_cast<std::uint16_t>(kFirstPort + worker);
    auto made = make_port(options);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    ports.push_back(std::move(*made));
  }
  // Every worker greets the peer, and so has to ask for it.
  std::vector<std::byte> greeting(10, std::byte{1});
  for (const auto& port : ports) {
    const Train train{
        .peer = Peer::v4({10, 9, 0, 2}, 7'000), .segment_bytes = 10, .bytes = greeting};
    ASSERT_EQ(port->transmit(system_now(), {&train, 1}), 1U);
  }
  std::atomic<bool> is_over = false;
  std::atomic<int> received = 0;
  std::vector<std::set<std::uint16_t>> heard(workers);  // ports of the peer's
  std::vector<std::thread> threads;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      while (!is_over) {
        std::array<Train, 16> in{};
        const std::size_t count = ports[worker]->receive(system_now(), in);
        for (const Train& train : std::span(in).first(count)) {
          heard[worker].insert(train.peer.udp_port());
        }
        ports[worker]->release(std::span(in).first(count));
        received += static_cast<int>(count);
        if (count == 0) {
          ports[worker]->wait(Duration::ms(20));
        }
      }
    });
  }
  // The peer answers one question about itself, and waits for all greetings.
  std::set<std::uint16_t> greeted;
  bool has_answered = false;
  Mac own{};
  while (greeted.size() < workers) {
    const std::vector<std::byte> frame = tap.take();
    Octets octets(frame.size());
    std::memcpy(octets.data(), frame.data(), frame.size());
    std::copy_n(octets.begin() + 6, own.size(), own.begin());
    const bool asks = octets[12] == 0x08 && octets[13] == 0x06 && octets[41] == 2;
    if (asks && !has_answered) {
      has_answered = true;
      put(tap, ethernet(own, kPeerMac, 0x0806, arp(2, kPeerMac, v4(2), own, v4(1))));
    }
    if (octets[12] == 0x08 && octets[13] == 0x00) {
      greeted.insert(static_cast<std::uint16_t>(octets[34] << 8U | octets[35]));
    }
  }
  for (std::uint16_t flow = 0; flow < kFlows; ++flow) {
    for (std::uint16_t worker = 0; worker < workers; ++worker) {
      const Octets datagram = udp(v4(2),
                                  v4(1),
                                  static_cast<std::uint16_t>(7'000 + flow),
                                  static_cast<std::uint16_t>(kFirstPort + worker),
                                  {1, 2, 3});
      put(tap, ethernet(own, kPeerMac, 0x0800, ipv4(v4(2), v4(1), 17, datagram)));
    }
  }
  // A test that waits longer has hung.
  while (received < kFlows * workers) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  is_over = true;
  std::uint64_t handed_over = 0;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    threads[worker].join();
    EXPECT_EQ(heard[worker].size(), kFlows) << "worker " << worker;
    const auto& port = static_cast<const IpPort&>(*ports[worker]);
    EXPECT_EQ(port.counters().receive_errors, 0U);
    EXPECT_EQ(port.device().counters().handover_missed, 0U);
    handed_over += port.device().counters().frames_handed_over;
  }
  EXPECT_GT(handed_over, workers) << "more than the copies of the answer";
}

INSTANTIATE_TEST_SUITE_P(Queues, DpdkWorkers, ::testing::Values(2, 4));

}  // namespace
}  // namespace godwit::port
