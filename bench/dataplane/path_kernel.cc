#include "bench/dataplane/path_kernel.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "bench/dataplane/arrivals.h"
#include "bench/dataplane/socket.h"
#include "dataplane/base/system_time.h"

namespace godwit::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration kWait = Duration::ms(100);
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kDatagram = 1452;  // + 28 bytes of UDP and IPv4
constexpr std::size_t kLayer3 = 1480;

}  // namespace

Result<Json> send_tcp(const port::Peer& to, const std::string& congestion, Duration length) {
  const Instant end = system_now() + length;
  const auto socket = open_socket(SOCK_STREAM, length);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  if (::setsockopt(socket->get(),
                   IPPROTO_TCP,
                   TCP_CONGESTION,
                   congestion.data(),
                   static_cast<socklen_t>(congestion.size())) != 0) {
    return fail(Code::kUnsupported, "the kernel does not offer {}", congestion);
  }
  if (auto connected = connect_to(*socket, to); !connected) {
    return tl::unexpected(connected.error());
  }
  if (auto limited = limit_blocking(*socket, kWait); !limited) {
    return tl::unexpected(limited.error());
  }
  const std::vector<std::byte> chunk(kChunk, std::byte{7});
  std::uint64_t sent = 0;
  while (system_now() < end) {
    const ssize_t written = ::send(socket->get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) {
      return system_failure("send over TCP");
    }
    sent += written > 0 ? static_cast<std::uint64_t>(written) : 0;
  }
  return Json::object({{"sent", sent}});
}

Result<Json> receive_tcp(const port::Peer& local, Duration length) {
  const Instant began = system_now();
  const Instant end = began + length;
  const auto listener = open_socket(SOCK_STREAM, length);
  if (!listener) {
    return tl::unexpected(listener.error());
  }
  if (auto bound = bind_to(*listener, local); !bound) {
    return tl::unexpected(bound.error());
  }
  if (::listen(listener->get(), 1) != 0) {
    return system_failure("listen");
  }
  say_ready();
  const auto socket = accept_one(*listener, kWait);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  Arrivals arrivals(began);
  std::vector<std::byte> chunk(kChunk);
  while (system_now() < end) {
    const ssize_t got = ::recv(socket->get(), chunk.data(), chunk.size(), 0);
    if (got == 0) {
      break;  // the sender has ended
    }
    if (got > 0) {
      arrivals.add(system_now(), static_cast<std::uint64_t>(got));
    } else if (errno != EAGAIN) {
      return system_failure("receive over TCP");
    }
  }
  return arrivals.to_json();
}

Result<Json> flood_udp(const port::Peer& to, BitRate rate, Duration length) {
  const auto socket = open_socket(SOCK_DGRAM, kWait);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  sockaddr_storage address{};
  const socklen_t bytes = to.to_sockaddr(address);
  const std::vector<std::byte> datagram(kDatagram, std::byte{7});
  const Instant began = system_now();
  std::uint64_t sent = 0;
  for (Instant now = began; now < began + length; now = system_now()) {
    // Nobody listens: a refusal that came back is no reason to stop.
    while (sent * kLayer3 < rate.bytes_in(now - began).count()) {
      ::sendto(socket->get(),
               datagram.data(),
               datagram.size(),
               0,
               reinterpret_cast<const sockaddr*>(&address),
               bytes);
      ++sent;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Json::object({{"packets", sent}});
}

Result<Json> send_datagrams(const port::Peer& to, Duration every, Duration length) {
  const auto socket = open_socket(SOCK_DGRAM, kWait);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  if (auto connected = connect_to(*socket, to); !connected) {
    return tl::unexpected(connected.error());
  }
  const Instant end = system_now() + length;
  std::uint64_t sent = 0;
  for (Instant next = system_now(); next < end; next += every) {
    std::this_thread::sleep_for(std::chrono::nanoseconds((next - system_now()).count_ns()));
    const Stamped message = stamped(system_now());
    sent += ::send(socket->get(), message.data(), message.size(), 0) > 0 ? 1U : 0U;
  }
  return Json::object({{"packets", sent}});
}

Result<Json> receive_datagrams(const port::Peer& local, Duration length) {
  const Instant began = system_now();
  const auto socket = open_socket(SOCK_DGRAM, kWait);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  if (auto bound = bind_to(*socket, local); !bound) {
    return tl::unexpected(bound.error());
  }
  say_ready();
  Arrivals arrivals(began);
  while (system_now() < began + length) {
    Stamped message{};
    const ssize_t got = ::recv(socket->get(), message.data(), message.size(), 0);
    if (got > 0) {
      arrivals.add_control(system_now(), std::span(message).first(static_cast<std::size_t>(got)));
    }
  }
  return arrivals.to_json();
}

}  // namespace godwit::bench
