// godwit-junk: sends datagrams that nobody asked for, with whatever source address, at a fixed
// rate.
//
//     godwit-junk --from 192.0.2.9:9 --to 10.9.0.2:7000 --pps 100000 --seconds 5
//
// A source port of 0 stands for any: each packet has another one, so that many flows come.
// They are of 1 to 1,200 bytes: noise, short and long headers of QUIC with random connection ids,
// first packets of handshakes, unknown versions. Needs CAP_NET_RAW, as root has it in a network
// namespace of its own (`unshare -rUn`); IPv4 only. Prints one JSON line at the end: {"sent"},
// what the kernel took.
//
// exit: 0 done, 1 it could not send, 2 usage
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include "api/cli/usage/usage.h"
#include "dataplane/base/random.h"
#include "dataplane/base/system_time.h"
#include "dataplane/port/ip/wire.h"
#include "dataplane/port/peer.h"
#include "dataplane/port/udp_socket.h"

namespace godwit::bench {
namespace {

namespace ip = port::ip;

constexpr std::size_t kPayloadMax = 1'200;
constexpr std::size_t kHeaderBytes = sizeof(ip::Ipv4) + sizeof(ip::Udp);
constexpr std::size_t kPackets = 64;   // of a system call
constexpr std::size_t kStock = 1'024;  // made before the first one is sent, and sent in turn
constexpr Duration kTick = Duration::ms(1);

struct Packet {
  std::array<std::byte, kHeaderBytes + kPayloadMax> bytes{};
  std::size_t size = 0;
};

class Junk {
 public:
  Junk(const port::Peer& from, const port::Peer& to, std::uint64_t seed)
      : from_(from), to_(to), random_(seed) {}

  // A packet with its IP header; the kernel fills in what is zero in it (raw(7)).
  void fill(Packet& packet) {
    const std::size_t bytes = 1 + random_.below(kPayloadMax);
    for (std::size_t at = kHeaderBytes; at < kHeaderBytes + std::min<std::size_t>(bytes, 64);
         ++at) {
      packet.bytes.at(at) = static_cast<std::byte>(random_.below(256));
    }
    shape(std::span(packet.bytes).subspan(kHeaderBytes, bytes));
    ip::Ipv4 header{.total_bytes = static_cast<std::uint16_t>(kHeaderBytes + bytes),
                    .protocol = ip::kUdp};
    std::copy_n(from_.address().begin(), header.from.size(), header.from.begin());
    std::copy_n(to_.address().begin(), header.to.size(), header.to.begin());
    const auto rest = ip::store(std::span(packet.bytes), header);
    ip::store(rest,
              ip::Udp{.from = source_port(),
                      .to = to_.udp_port(),
                      .bytes = static_cast<std::uint16_t>(sizeof(ip::Udp) + bytes)});
    packet.size = kHeaderBytes + bytes;
  }

 private:
  std::uint16_t source_port() {
    const std::uint16_t fixed = from_.udp_port();
    return fixed != 0 ? fixed : static_cast<std::uint16_t>(1 + random_.below(65'535));
  }

  // Makes of noise what a parser of QUIC looks into further (RFC 9000 section 17).
  void shape(std::span<std::byte> payload) {
    constexpr std::size_t kLongHeader = 6;  // flags, version, length of the id
    const std::uint64_t kind = random_.below(4);
    if (kind == 0 || payload.size() < kLongHeader) {
      return;
    }
    if (kind == 1) {
      payload[0] = (payload[0] & std::byte{0x3f}) | std::byte{0x40};  // short header
      return;
    }
    payload[0] = (payload[0] & std::byte{0x0f}) | std::byte{0xc0};  // long header, Initial
    payload[5] = std::byte{8};
    if (kind == 2) {  // version 1; else an unknown one
      std::fill_n(payload.begin() + 1, 3, std::byte{0});
      payload[4] = std::byte{1};
    }
  }

  port::Peer from_;
  port::Peer to_;
  Random random_;
};

int send(const port::Peer& from, const port::Peer& to, double pps, Duration length) {
  const port::Descriptor raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (raw.get() < 0) {
    std::fprintf(stderr, "godwit-junk: no raw socket: %s\n", error_text(errno).c_str());
    return 1;
  }
  Junk junk(from, to, 1);
  std::vector<Packet> stock(kStock);
  for (Packet& packet : stock) {
    junk.fill(packet);
  }
  std::size_t next = 0;
  std::array<iovec, kPackets> vectors{};
  std::array<mmsghdr, kPackets> messages{};
  sockaddr_storage address{};
  const socklen_t address_bytes = to.to_sockaddr(address);
  std::uint64_t sent = 0;
  const Instant began = system_now();
  for (Instant now = began; now - began < length; now = system_now()) {
    const auto due = static_cast<std::uint64_t>((now - began).to_seconds() * pps);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(due - sent, kPackets));
    if (count == 0) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kTick.count_ns()));
      continue;
    }
    for (std::size_t index = 0; index < count; ++index) {
      Packet& packet = stock[next++ % kStock];
      vectors[index] = {packet.bytes.data(), packet.size};
      messages[index].msg_hdr = {};
      messages[index].msg_hdr.msg_name = &address;
      messages[index].msg_hdr.msg_namelen = address_bytes;
      messages[index].msg_hdr.msg_iov = &vectors[index];
      messages[index].msg_hdr.msg_iovlen = 1;
    }
    const int taken = ::sendmmsg(raw.get(), messages.data(), static_cast<unsigned>(count), 0);
    if (taken < 0 && errno != ENOBUFS && errno != EAGAIN) {
      std::fprintf(stderr, "godwit-junk: cannot send: %s\n", error_text(errno).c_str());
      return 1;
    }
    sent += static_cast<std::uint64_t>(std::max(taken, 0));
  }
  std::printf("{\"sent\": %llu}\n", static_cast<unsigned long long>(sent));
  return 0;
}

int main_of(int argc, char** argv) {
  CLI::App app("Sends datagrams that nobody asked for");
  std::string from_text;
  std::string to_text;
  double pps = 0;
  double seconds = 0;
  app.add_option(
         "--from", from_text, "The source that the packets show, address:port; port 0: many")
      ->required();
  app.add_option("--to", to_text, "Whom they go to, address:port")->required();
  app.add_option("--pps", pps, "Packets a second")
      ->required()
      ->check(godwit::cli::number_between(1.0, 1e6));
  app.add_option("--seconds", seconds, "How long")
      ->required()
      ->check(godwit::cli::number_between(0.1, 60.0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto from = port::Peer::parse(from_text);
  const auto to = port::Peer::parse(to_text);
  if (!from || !to || from->is_v6() || to->is_v6()) {
    std::fprintf(stderr, "godwit-junk: --from and --to are numeric IPv4 addresses with ports\n");
    return 2;
  }
  return send(*from, *to, pps, Duration::seconds(seconds));
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  return godwit::bench::main_of(argc, argv);
}
