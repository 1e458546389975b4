// Datagrams from one port to another without QUIC: what the port alone costs.
//
//     sender ──datagrams of one packet each, numbered──▶ receiver
//            ◀──the number up to which all came or were lost── once a burst
//
// The sender keeps a window of datagrams on their way, so that neither side computes for what the
// other one drops.
//
// Thread: one each; the port's cost is the processor time of that thread.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/make_port.h"

namespace godwit::bench {

// {"bytes", "processor_s"}: payload handed to the port, or received; processor time from the first
// datagram on.
Result<nlohmann::ordered_json> send_datagrams(const port::PortOptions& own,
                                              const port::Peer& to,
                                              Duration length);
Result<nlohmann::ordered_json> receive_datagrams(const port::PortOptions& own, Duration length);

}  // namespace godwit::bench
