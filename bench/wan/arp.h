// Answers ARP for the far sites, as a router with proxy ARP does (RFC 1027): no broadcast crosses
// the WAN.
//
// The sites' kernels never ask, because their neighbours are permanent; programs that bring a
// network stack of their own do.
#pragma once

#include <cstddef>
#include <span>

namespace godwit::wan {

// When `frame`, which site `from` sent, asks for the address of another one of `sites` sites, it
// becomes the answer to it. False, and nothing is changed, for every other frame.
bool answer_arp(std::span<std::byte> frame, std::size_t from, std::size_t sites);

}  // namespace godwit::wan
