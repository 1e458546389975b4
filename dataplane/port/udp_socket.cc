#include "dataplane/port/udp_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"

// Linux 4.18 and 5.0; Debian 12's glibc has them, other C libraries may not.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace godwit::port {
namespace {

bool set_option(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof(value)) == 0;
}

// Asks with privilege first (beyond the system's limit), then without.
void enlarge(int descriptor, int forced, int plain, int bytes, const char* which) {
  if (!set_option(descriptor, SOL_SOCKET, forced, bytes)) {
    set_option(descriptor, SOL_SOCKET, plain, bytes);
  }
  int granted = 0;
  socklen_t size = sizeof(granted);
  ::getsockopt(descriptor, SOL_SOCKET, plain, &granted, &size);
  // The kernel doubles the value for its bookkeeping (socket(7)).
  if (granted / 2 < bytes / 2) {
    log::warn("the UDP {} buffer is {} of the wished {} bytes; raise net.core.{}mem_max",
              which,
              granted / 2,
              bytes,
              plain == SO_RCVBUF ? "r" : "w");
  }
}

// Appends one control message to what is sent.
template <class Value>
void add_control(OutgoingMessage& message, int level, int type, const Value& value) {
  const std::size_t at = message.header.msg_controllen;
  GODWIT_ASSERT(at + CMSG_SPACE(sizeof(value)) <= message.control.size());
  cmsghdr head{};
  head.cmsg_level = level;
  head.cmsg_type = type;
  head.cmsg_len = CMSG_LEN(sizeof(value));
  std::byte* place = message.control.data() + at;
  std::memcpy(place, &head, sizeof(head));
  std::memcpy(place + CMSG_LEN(0), &value, sizeof(value));
  message.header.msg_control = message.control.data();
  message.header.msg_controllen = at + CMSG_SPACE(sizeof(value));
}

// The host that a message is sent from; the interface is the route's choice.
void add_source(const Peer& local, OutgoingMessage& message) {
  if (local.is_v6()) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.address().data(), sizeof(info.ipi6_addr));
    add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.address().data(), sizeof(info.ipi_spec_dst));
    add_control(message, IPPROTO_IP, IP_PKTINFO, info);  // to a mapped address, too
  }
}

// The kernel takes a killed process's io_uring apart in the background, and its sockets with it:
// for a moment after the process is gone its address may still be in use.
bool bind_patiently(int descriptor, const sockaddr* address, socklen_t bytes) {
  constexpr int kAttempts = 100;
  constexpr ::useconds_t kPause = 20'000;
  for (int i = 0; i < kAttempts; ++i) {
    if (::bind(descriptor, address, bytes) == 0) {
      return true;
    }
    if (errno != EADDRINUSE) {
      return false;
    }
    ::usleep(kPause);
  }
  errno = EADDRINUSE;
  return false;
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Descriptor::~Descriptor() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<UdpSocket> UdpSocket::open(const UdpOptions& options) {
  const bool v6 = options.local.is_v6();
  UdpSocket made;
  made.descriptor_ = Descriptor(
      ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  const int descriptor = made.descriptor_.get();
  if (descriptor < 0) {
    return fail(Code::kIo, "no UDP socket: {}", error_text(errno));
  }
  enlarge(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, options.socket_buffer_bytes, "receive");
  enlarge(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, options.socket_buffer_bytes, "send");
  // PROBE sets DF and ignores the kernel's idea of the path's MTU: ours is configured.
  set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  if (v6) {
    set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (!options.local.has_host() &&  // each datagram then tells which of our addresses it came to
      !set_option(
          descriptor, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1)) {
    return fail(Code::kIo,
                "no own addresses of UDP datagrams (PKTINFO): {}; name one address to listen on",
                error_text(errno));
  }
  if (!set_option(descriptor, SOL_UDP, UDP_GRO, 1)) {
    log::warn("the kernel has no UDP GRO; receiving costs several times more CPU");
  }
  sockaddr_storage address{};
  socklen_t bytes = options.local.to_sockaddr(address);
  if (!bind_patiently(descriptor, reinterpret_cast<const sockaddr*>(&address), bytes)) {
    return fail(Code::kIo, "cannot bind UDP {}: {}", options.local.format(), error_text(errno));
  }
  bytes = sizeof(address);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes);
  const auto local = Peer::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), bytes);
  if (!local) {
    return tl::unexpected(local.error());
  }
  // A dual-stack wildcard reads back as IPv6; keep what was asked for, with the port chosen.
  made.local_ = options.local.with_port(local->udp_port());
  return made;
}

Capabilities UdpSocket::capabilities(const char* name) const {
  constexpr std::size_t kHeadersV4 = 28;
  constexpr std::size_t kHeadersV6 = 48;
  constexpr std::size_t kIpPacketMax = 65'535;
  return {.mtu = kIpPacketMax - (local_.is_v6() ? kHeadersV6 : kHeadersV4),
          .train_bytes_max = kTrainBytesMax,
          .train_segments_max = kTrainSegmentsMax,
          .name = name};
}

std::uint32_t UdpSocket::dropped() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t bytes = sizeof(memory);
  ::getsockopt(descriptor_.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &bytes);
  return memory[SK_MEMINFO_DROPS];
}

void UdpSocket::prepare(const Train& train, OutgoingMessage& message) const {
  GODWIT_ASSERT(!train.bytes.empty() && train.segment_bytes > 0);
  GODWIT_ASSERT(train.dscp < 64 && train.ecn < 4);
  GODWIT_ASSERT(train.bytes.size() <= kTrainBytesMax || train.bytes.size() <= train.segment_bytes);
  message.header = {};
  message.vector = {train.bytes.data(), train.bytes.size()};
  message.header.msg_iov = &message.vector;
  message.header.msg_iovlen = 1;
  message.header.msg_name = &message.address;
  message.header.msg_namelen = train.peer.to_sockaddr(message.address);
  if (local_.is_v6() && !train.peer.is_v6()) {
    // An IPv6 socket reaches IPv4 by mapped addresses (RFC 4291 section 2.5.5.2).
    sockaddr_in v4{};
    std::memcpy(&v4, &message.address, sizeof(v4));
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = v4.sin_port;
    mapped.sin6_addr.s6_addr[10] = 0xff;
    mapped.sin6_addr.s6_addr[11] = 0xff;
    std::memcpy(&mapped.sin6_addr.s6_addr[12], &v4.sin_addr, sizeof(v4.sin_addr));
    std::memcpy(&message.address, &mapped, sizeof(mapped));
    message.header.msg_namelen = sizeof(mapped);
  }
  if (train.bytes.size() > train.segment_bytes) {
    add_control(message, SOL_UDP, UDP_SEGMENT, train.segment_bytes);
  }
  const int traffic_class = train.dscp << 2U | train.ecn;  // RFC 2474 section 3, RFC 3168
  if (traffic_class != 0 && train.peer.is_v6()) {
    add_control(message, IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
  } else if (traffic_class != 0) {
    add_control(message, IPPROTO_IP, IP_TOS, traffic_class);  // of a mapped address, too
  }
  if (!local_.has_host() && train.local.has_host() && train.local.is_v6() == train.peer.is_v6()) {
    add_source(train.local, message);
  }
}

int UdpSocket::send_singly(const Train& train) const {
  for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
    Train single = train;
    single.bytes = train.bytes.subspan(
        at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
    OutgoingMessage message;
    prepare(single, message);
    if (::sendmsg(descriptor_.get(), &message.header, MSG_DONTWAIT) < 0) {
      return errno;
    }
  }
  return 0;
}

std::size_t done_with(std::span<const int> results) {
  std::size_t count = results.size();
  while (count > 0 && is_busy(-results[count - 1])) {
    --count;
  }
  return count;
}

void ReceivedControl::read(const cmsghdr& message) {
  if (message.cmsg_level == SOL_UDP && message.cmsg_type == UDP_GRO) {
    int segment = 0;  // the kernel writes an int
    std::memcpy(&segment, CMSG_DATA(&message), sizeof(segment));
    segment_bytes =
        segment > 0 && segment <= 0xffff ? static_cast<std::uint16_t>(segment) : segment_bytes;
  } else if (message.cmsg_level == IPPROTO_IP && message.cmsg_type == IP_PKTINFO) {
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(&message), sizeof(info));
    std::array<std::uint8_t, 4> host{};
    std::memcpy(host.data(), &info.ipi_spec_dst, host.size());
    local = Peer::v4(host, 0);
  } else if (message.cmsg_level == IPPROTO_IPV6 && message.cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(&message), sizeof(info));
    std::array<std::uint8_t, 16> host{};
    std::memcpy(host.data(), &info.ipi6_addr, host.size());
    local = Peer::v6(host, 0);  // a mapped one is of IPv4
  }
}

std::optional<Train> received_train(const void* name,
                                    socklen_t name_bytes,
                                    std::span<std::byte> payload,
                                    int flags,
                                    const ReceivedControl& control) {
  const auto peer = Peer::from_sockaddr(static_cast<const sockaddr*>(name), name_bytes);
  if (!peer || payload.empty() || (flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return std::nullopt;
  }
  const auto whole = static_cast<std::uint16_t>(std::min<std::size_t>(payload.size(), 0xffff));
  return Train{.peer = *peer,
               .segment_bytes = control.segment_bytes == 0 ? whole : control.segment_bytes,
               .bytes = payload,
               .ecn = 0,
               .local = control.local};
}

ReceiveMemory::ReceiveMemory(std::size_t count, std::size_t stride)
    : count_(count), stride_(stride), bytes_(std::make_unique<std::byte[]>(count * stride)) {}

std::size_t ReceiveMemory::index_of(const std::byte* place) const {
  GODWIT_ASSERT(place >= bytes_.get() && place < bytes_.get() + count_ * stride_,
                "a released train was not received here");
  return static_cast<std::size_t>(place - bytes_.get()) / stride_;
}

}  // namespace godwit::port
