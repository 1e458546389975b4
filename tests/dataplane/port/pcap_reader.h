// A reader of captures that shares nothing with the code that writes them: header by header, byte
// by byte, with the checksums of RFC 1071 two bytes at a time.
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace godwit::port::testing {

struct CapturedPacket {
  std::uint64_t unix_ns = 0;
  int version = 0;  // of IP
  int traffic_class = 0;
  std::string from;  // the address's bytes as they stand in the header
  std::string to;
  int from_port = 0;
  int to_port = 0;
  std::string payload;
};

class PcapReader {
 public:
  // Throws std::runtime_error at the first thing that is not as it should be.
  static std::vector<CapturedPacket> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    PcapReader reader(std::string(std::istreambuf_iterator<char>(in), {}));
    return reader.all();
  }

 private:
  explicit PcapReader(std::string bytes) : bytes_(std::move(bytes)) {}

  static void must(bool condition, const char* what) {
    if (!condition) {
      throw std::runtime_error(what);
    }
  }
  static unsigned at(const std::string& bytes, std::size_t index) {
    must(index < bytes.size(), "cut short");
    return static_cast<unsigned char>(bytes[index]);
  }
  static unsigned big16(const std::string& bytes, std::size_t index) {
    return at(bytes, index) << 8U | at(bytes, index + 1);
  }
  static std::uint64_t little32(const std::string& bytes, std::size_t index) {
    return at(bytes, index) | at(bytes, index + 1) << 8U | at(bytes, index + 2) << 16U |
           std::uint64_t{at(bytes, index + 3)} << 24U;
  }
  // 0 when a checksum inside is right.
  static unsigned check(std::string bytes) {
    bytes.resize((bytes.size() + 1) / 2 * 2, '\0');
    unsigned sum = 0;
    for (std::size_t index = 0; index < bytes.size(); index += 2) {
      sum += big16(bytes, index);
      sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return ~sum & 0xffffU;
  }

  std::vector<CapturedPacket> all() {
    must(little32(bytes_, 0) == 0xa1b23c4d, "not a pcap with nanoseconds");
    must(little32(bytes_, 4) == (4U << 16U | 2U), "not version 2.4");
    must(little32(bytes_, 16) >= 65'535, "packets would be cut");
    must(little32(bytes_, 20) == 101, "not LINKTYPE_RAW");
    std::vector<CapturedPacket> packets;
    for (std::size_t place = 24; place < bytes_.size();) {
      const std::uint64_t bytes = little32(bytes_, place + 8);
      must(bytes == little32(bytes_, place + 12), "a packet was cut");
      must(place + 16 + bytes <= bytes_.size(), "the file was cut");
      must(little32(bytes_, place + 4) < 1'000'000'000, "more than a second");
      packets.push_back(packet(bytes_.substr(place + 16, bytes)));
      packets.back().unix_ns =
          little32(bytes_, place) * 1'000'000'000 + little32(bytes_, place + 4);
      place += 16 + bytes;
    }
    return packets;
  }

  static CapturedPacket packet(const std::string& ip) {
    CapturedPacket packet;
    packet.version = static_cast<int>(at(ip, 0) >> 4U);
    must(packet.version == 4 || packet.version == 6, "neither IPv4 nor IPv6");
    const bool is_v4 = packet.version == 4;
    const std::size_t head = is_v4 ? 20 : 40;
    const std::size_t host = is_v4 ? 4 : 16;
    if (is_v4) {
      must(at(ip, 0) == 0x45, "options");
      must(big16(ip, 2) == ip.size(), "IPv4's total length");
      must(big16(ip, 6) == 0x4000, "a fragment, or not DF");
      must(at(ip, 9) == 17, "not UDP");
      must(check(ip.substr(0, 20)) == 0, "IPv4's checksum");
    } else {
      must(big16(ip, 4) == ip.size() - 40, "IPv6's payload length");
      must(at(ip, 6) == 17, "not UDP");
    }
    must(at(ip, is_v4 ? 8 : 7) > 0, "a hop limit of zero");
    packet.traffic_class =
        static_cast<int>(is_v4 ? at(ip, 1) : (at(ip, 0) & 0xfU) << 4U | at(ip, 1) >> 4U);
    packet.from = ip.substr(head - 2 * host, host);
    packet.to = ip.substr(head - host, host);
    const std::string udp = ip.substr(head);
    must(big16(udp, 4) == udp.size(), "UDP's length");
    must(big16(udp, 6) != 0, "no UDP checksum");
    const std::string pseudo =
        packet.from + packet.to + std::string("\0\x11", 2) + udp.substr(4, 2);
    must(check(pseudo + udp) == 0, "UDP's checksum");
    packet.from_port = static_cast<int>(big16(udp, 0));
    packet.to_port = static_cast<int>(big16(udp, 2));
    packet.payload = udp.substr(8);
    return packet;
  }

  std::string bytes_;
};

}  // namespace godwit::port::testing
