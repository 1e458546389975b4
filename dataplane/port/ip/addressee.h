// Which of several workers a frame is for, by a look at its headers: they share the addresses, and
// each has a UDP port of its own.
//
//   UDP                                       the port that it is sent to
//   "too large for the path" and the like     the port that the quoted datagram came from
//   ARP, neighbour discovery                  everyone: all have neighbours
//   everything else, broken frames too        anyone: whoever got it answers or refuses it
//
// Nothing is verified here; who gets the frame reads it properly. Thread: any; a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::port::ip {

struct Addressee {
  enum class Kind : std::uint8_t {
    kAnyone,
    kPort,
    kEveryone
  };
  Kind kind = Kind::kAnyone;
  std::uint16_t udp_port = 0;  // of kPort

  bool operator==(const Addressee&) const = default;
};

Addressee addressee_of(std::span<const std::byte> frame);

}  // namespace godwit::port::ip
