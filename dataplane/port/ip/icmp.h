// Answers echo requests and understands what routers say of the path's MTU (RFC 792, RFC 4443).
//
// Thread: one. Memory: fixed. No ICMP error is ever sent: an appliance owes strangers nothing.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "dataplane/base/pace.h"
#include "dataplane/port/ip/flows.h"
#include "dataplane/port/ip/interface.h"
#include "dataplane/port/ip/outbox.h"
#include "dataplane/port/ip/packet.h"
#include "dataplane/port/port.h"

namespace godwit::port::ip {

class Icmp {
 public:
  Icmp(const Interface& self, Outbox& outbox, Flows& flows);

  // Any message but neighbour discovery; `packet` has its checksum verified.
  Fate on_message(Instant now, const Link& link, const Packet& packet);
  // The latest word about each peer, the oldest first.
  std::optional<PathMtu> poll_path_mtu();

 private:
  static constexpr std::size_t kWords = 16;  // chosen: some peers' between two polls

  Fate answer_echo(Instant now, const Link& link, const Packet& packet);
  // `quote`: the beginning of the packet that did not pass; `mtu`: what would, bytes.
  Fate on_path_mtu(std::span<const std::byte> quote, std::size_t mtu, bool is_v6);

  const Interface& self_;
  Outbox& outbox_;
  Flows& flows_;
  Pace echoes_;
  std::array<PathMtu, kWords> words_{};
  std::size_t word_count_ = 0;
};

}  // namespace godwit::port::ip
