// Speaks ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) for one interface: asks,
// answers, announces itself, defends its address.
//
// Thread: the device's. Memory: fixed. Time: `now` is the caller's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/pace.h"
#include "dataplane/base/units.h"
#include "dataplane/port/ip/interface.h"
#include "dataplane/port/ip/neighbours.h"
#include "dataplane/port/ip/outbox.h"
#include "dataplane/port/ip/packet.h"

namespace godwit::port::ip {

class Resolver {
 public:
  Resolver(const Interface& self, Device& device, Outbox& outbox);

  // What is overheard teaches, and neither is answered nor makes us defend our address.
  Fate on_arp(Instant now, const Link& link);
  // A solicitation or an advertisement; `packet` has its checksum verified.
  Fate on_discovery(Instant now, const Link& link, const Packet& packet);

  // Asks what is due and announces: at the start, when the link came back, and once more 2 s later.
  void on_timeout(Instant now);
  void on_link_up(Instant now);
  Instant next_wakeup() const { return std::min(announce_at_, neighbours_.next_question()); }

  // Another host uses the IPv4 or the IPv6 address that is ours.
  struct Conflict {
    Mac other{};
    Instant heard = Instant::never();  // last; never(): nobody does
  };
  const Conflict& conflict(bool is_v6) const { return conflicts_[is_v6 ? 1 : 0]; }

  Neighbours& neighbours() { return neighbours_; }
  const Neighbours& neighbours() const { return neighbours_; }

 private:
  void send_arp(std::uint16_t operation,
                const Mac& to,
                const Address& target,
                const Mac& target_mac);
  void send_solicitation(const Neighbours::Question& question);
  void send_advertisement(const Mac& to_mac, const Address& to, bool is_solicited);
  void send_discovery(const Mac& to_mac,
                      const Address& to,
                      const Discovery& message,
                      std::uint8_t option);
  void ask(const Neighbours::Question& question);
  void announce(bool is_v6);
  void learn(Instant now, const Address& address, const Mac& mac, bool overrides);
  Fate on_solicitation(Instant now, const Link& link, const Packet& packet);
  Fate on_advertisement(Instant now, const Link& link, const Packet& packet);
  bool may_answer(Instant now, const Address& asker);
  Fate defend(Instant now, const Link& link, const Address& address, const Mac& other);

  const Interface& self_;
  Outbox& outbox_;
  Neighbours neighbours_;
  Pace strangers_;  // answers to them
  Pace change_lines_;
  std::array<Pace, 2> defences_;  // of the IPv4 and of the IPv6 address
  std::array<Conflict, 2> conflicts_;
  Instant announce_at_ = Instant::from_ns(0);
  int announcements_ = 0;
};

}  // namespace godwit::port::ip
