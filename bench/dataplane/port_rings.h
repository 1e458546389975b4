// What Ethernet, IP and UDP cost in user space over DPDK's buffers, beside memcpy.
//
//     IpPort ─▶ net_ring0 ─▶ IpPort        each device a ring, and nothing else
//            ◀─ net_ring1 ◀─
//
// Thread: the caller's alone, so that nothing but the work itself takes time.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/base/result.h"

namespace godwit::bench {

// One line a round: {"ns", "memcpy_ns"}, medians over a hundred bursts of 64 packets of 1,500
// bytes, in nanoseconds per packet. The packets are encapsulated (headers, copy, checksum), queued
// behind 960 others, decapsulated (headers, checksum) and given back: buffers come round as with a
// card whose queue has 1,024 descriptors. memcpy copies as many bytes into as many places.
Result<nlohmann::ordered_json> measure_rings(int rounds);

}  // namespace godwit::bench
