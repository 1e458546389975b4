// What the kernel alone does on the same path: TCP by its own congestion control, a flood of UDP
// that shows what the path serves, and lone datagrams that show what the machine adds to its delay.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"

namespace godwit::bench {

// `congestion` is a name of net.ipv4.tcp_available_congestion_control. kUnsupported when the
// kernel does not let us have it.
Result<nlohmann::ordered_json> send_tcp(const port::Peer& to,
                                        const std::string& congestion,
                                        Duration length);
Result<nlohmann::ordered_json> receive_tcp(const port::Peer& local, Duration length);
// Datagrams of 1,480 bytes on layer 3, at `rate` of layer 3.
Result<nlohmann::ordered_json> flood_udp(const port::Peer& to, BitRate rate, Duration length);
// A datagram of kStampedBytes every `every`, with the instant at which it was sent.
Result<nlohmann::ordered_json> send_datagrams(const port::Peer& to,
                                              Duration every,
                                              Duration length);
Result<nlohmann::ordered_json> receive_datagrams(const port::Peer& local, Duration length);

}  // namespace godwit::bench
