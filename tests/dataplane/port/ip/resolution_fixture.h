// What the endpoint asks and answers about neighbours, and what others ask of it.
#pragma once

#include <algorithm>

#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port::frames {

inline const Mac kSolicitedMac2 = {0x33, 0x33, 0xff, 0, 0, 2};
inline const Octets kSolicited1 = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1};
inline const Octets kSolicited2 = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2};
inline const Octets kAllNodes = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline const Mac kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};

class ResolutionTest : public EndpointTest {
 protected:
  void SetUp() override { open(usual_options()); }

  static Octets padded(Octets frame) {
    frame.resize(std::max<std::size_t>(frame.size(), 60));
    return frame;
  }
  static Octets own_request(std::uint8_t target, const Mac& to = kAllMacs) {
    return padded(ethernet(to, kOwnMac, 0x0806, arp(1, kOwnMac, v4(1), Mac{}, v4(target))));
  }
  static Octets own_solicitation() {
    const Octets rest = join(Octets(4), v6(2), Octets{1, 1}, kOwnMac);
    return ethernet(kSolicitedMac2,
                    kOwnMac,
                    0x86dd,
                    ipv6(v6(1), kSolicited2, 58, icmp6(v6(1), kSolicited2, 135, 0, rest), 255));
  }
  static Octets own_advertisement(const Mac& to_mac, const Octets& to, std::uint8_t flags) {
    const Octets rest = join(Octets{flags, 0, 0, 0}, v6(1), Octets{2, 1}, kOwnMac);
    return ethernet(
        to_mac, kOwnMac, 0x86dd, ipv6(v6(1), to, 58, icmp6(v6(1), to, 136, 0, rest), 255));
  }
  static Octets request_from(std::uint8_t last, const Mac& mac, std::uint8_t target = 1) {
    return ethernet(kAllMacs, mac, 0x0806, arp(1, mac, v4(last), Mac{}, v4(target)));
  }
  static Mac destination(const Octets& frame) {
    Mac mac{};
    std::copy_n(frame.begin(), mac.size(), mac.begin());
    return mac;
  }
  void pass(std::int64_t milliseconds) {
    now_ = now_ + Duration::ms(milliseconds);
    receive();
  }
};

}  // namespace godwit::port::frames
