// A port that writes down what passes: a capture that Wireshark opens, with QUIC still encrypted.
//
//     caller ◀──▶ with_capture ◀──▶ port
//                      └──▶ CaptureFile
//
// Received trains are written before the caller sees them, sent ones once the port took them.
//
// Time: that of the calls, moved to the time of day.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"

namespace godwit::port {

struct CaptureOptions {
  std::string path;
  Bytes bytes_max = Bytes::mib(64);  // of the file and the older one beside it
  // The time of day, in nanoseconds since 1970, at which the monotonic time was zero.
  std::int64_t unix_ns_at_zero = 0;
};

// Errors: kIo, kInvalid as CaptureFile's; `port` is gone then.
Result<std::unique_ptr<Port>> with_capture(std::unique_ptr<Port> port,
                                           const CaptureOptions& options);

}  // namespace godwit::port
