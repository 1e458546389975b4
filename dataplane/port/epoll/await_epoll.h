// Waiting for descriptors, by whatever the kernel has for it.
#pragma once

#include <cstddef>
#include <span>

#include <sys/epoll.h>

#include "dataplane/base/units.h"
#include "dataplane/port/udp_socket.h"

namespace godwit::port {

// How many of `events` were filled in: 0 when `at_most` has passed (at once when that is not above
// zero) or a signal came. To the nanosecond by epoll_pwait2 (Linux 5.11); where that is missing or
// forbidden by epoll_wait, which rounds up to a millisecond.
std::size_t await_epoll(const Descriptor& epoll, std::span<epoll_event> events, Duration at_most);

}  // namespace godwit::port
