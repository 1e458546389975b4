// The codepoint of a train, read back from the IP headers that another socket received.

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/udp.h"
#include "tests/dataplane/port/opens.h"

namespace godwit::port {
namespace {

// A plain socket that asks for every datagram's traffic class.
class Witness {
 public:
  explicit Witness(const Peer& local)
      : descriptor_(::socket(local.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    socklen_t bytes = local.to_sockaddr(address);
    const int yes = 1;
    const bool is_ready =
        ::setsockopt(descriptor_,
                     local.is_v6() ? IPPROTO_IPV6 : IPPROTO_IP,
                     local.is_v6() ? IPV6_RECVTCLASS : IP_RECVTOS,
                     &yes,
                     sizeof(yes)) == 0 &&
        ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
    EXPECT_TRUE(is_ready);
    bytes = sizeof(address);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &bytes);
    local_ = Peer::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), bytes).value();
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { ::close(descriptor_); }

  const Peer& local() const { return local_; }

  // The traffic class of the next datagram; nullopt: none came within a second.
  std::optional<int> next() const {
    pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 1000) != 1) {
      return std::nullopt;
    }
    std::array<std::byte, 2048> payload{};
    iovec vector{payload.data(), payload.size()};
    alignas(cmsghdr) std::array<std::byte, 128> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    EXPECT_GT(::recvmsg(descriptor_, &message, 0), 0);
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_TOS) {
        return std::to_integer<int>(*reinterpret_cast<const std::byte*>(CMSG_DATA(one)));
      }
      if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_TCLASS) {
        int value = 0;
        std::memcpy(&value, CMSG_DATA(one), sizeof(value));
        return value;
      }
    }
    return -1;
  }

 private:
  int descriptor_;
  Peer local_;
};

struct Route {
  UdpEngine engine;
  const char* from;
  const char* to;
};

std::vector<Route> routes_of_this_machine() {
  std::vector<Route> found;
  for (const Route& one : {Route{UdpEngine::kEpoll, "127.0.0.1:0", "127.0.0.1:0"},
                           Route{UdpEngine::kUring, "127.0.0.1:0", "127.0.0.1:0"},
                           Route{UdpEngine::kEpoll, "[::1]:0", "[::1]:0"},
                           Route{UdpEngine::kUring, "[::1]:0", "[::1]:0"},
                           Route{UdpEngine::kEpoll, "[::]:0", "127.0.0.1:0"},
                           Route{UdpEngine::kUring, "[::]:0", "127.0.0.1:0"}}) {
    if (opens(one.from, one.engine)) {
      found.push_back(one);
    }
  }
  return found;
}

class TrafficClass : public ::testing::TestWithParam<Route> {
 protected:
  // What the witness reads of a train of `count` datagrams.
  std::vector<int> seen(std::uint8_t dscp, Ecn ecn, std::size_t count) {
    std::vector<std::byte> bytes(count * 500);
    const Train train{.peer = witness_.local(),
                      .segment_bytes = 500,
                      .bytes = bytes,
                      .ecn = static_cast<std::uint8_t>(ecn),
                      .dscp = dscp};
    EXPECT_EQ(port_->transmit(system_now(), {&train, 1}), 1U);
    EXPECT_EQ(port_->counters().send_errors, 0U);
    std::vector<int> classes;
    for (std::size_t index = 0; index < count; ++index) {
      classes.push_back(witness_.next().value_or(-2));
    }
    return classes;
  }

  Witness witness_{Peer::parse(GetParam().to).value()};
  std::unique_ptr<Port> port_ = make_udp_port({.local = Peer::parse(GetParam().from).value(),
                                               .engine = GetParam().engine,
                                               .socket_buffer_bytes = 1 << 20,
                                               .receive_buffers = 4})
                                    .value();
};

TEST_P(TrafficClass, IsZeroUnlessATrainHasACodepoint) {
  EXPECT_EQ(seen(0, Ecn::kNotEct, 1), std::vector<int>{0});
}

TEST_P(TrafficClass, IsTheCodepointOfASingleDatagram) {
  EXPECT_EQ(seen(40, Ecn::kNotEct, 1), std::vector<int>{160});
  EXPECT_EQ(seen(1, Ecn::kNotEct, 1), std::vector<int>{4});
  EXPECT_EQ(seen(63, Ecn::kNotEct, 1), std::vector<int>{252});
}

TEST_P(TrafficClass, IsThatOfEveryDatagramOfATrain) {
  EXPECT_EQ(seen(18, Ecn::kNotEct, 5), std::vector<int>(5, 72));
}

TEST_P(TrafficClass, HasTheEcnCodepointInItsLowBits) {
  EXPECT_EQ(seen(0, Ecn::kEct0, 1), std::vector<int>{2});
  EXPECT_EQ(seen(34, Ecn::kEct1, 3), std::vector<int>(3, 137));
}

TEST_P(TrafficClass, ChangesFromTrainToTrain) {
  EXPECT_EQ(seen(46, Ecn::kNotEct, 1), std::vector<int>{184});
  EXPECT_EQ(seen(0, Ecn::kNotEct, 1), std::vector<int>{0});
}

INSTANTIATE_TEST_SUITE_P(Engines, TrafficClass, ::testing::ValuesIn(routes_of_this_machine()));

TEST(TrafficClassCases, AreCounted) {
  const auto cases = routes_of_this_machine();
  std::printf("count: traffic class engines and families %zu of 6\n", cases.size());
  EXPECT_GE(cases.size(), 1U);
}

}  // namespace
}  // namespace godwit::port
