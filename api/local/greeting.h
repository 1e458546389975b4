// What passes over the Unix socket itself: one greeting each way, then single bytes as doorbells.
//
// Doorbells are bytes and not eventfds on purpose: a flag of an eventfd (O_NONBLOCK) belongs to
// both holders, so a hostile client could make the gateway's own write wait for ever. The socket
// is asked not to wait call by call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "api/local/descriptor.h"
#include "api/local/shared_memory.h"
#include "dataplane/base/result.h"

struct sockaddr_un;

namespace godwit::local {

// The version of the shared memory's layout and of the greeting itself.
inline constexpr std::uint32_t kLayoutVersion = 1;
inline constexpr std::size_t kClientGreetingBytes = 16;
inline constexpr std::size_t kGatewayGreetingBytes = 32;

using ClientGreeting = std::array<std::byte, kClientGreetingBytes>;
using GatewayGreeting = std::array<std::byte, kGatewayGreetingBytes>;

ClientGreeting make_client_greeting();
// True when the bytes are a greeting that this build can answer.
bool accepts(const ClientGreeting& greeting);

// `shape` empty: the gateway turns the client away.
GatewayGreeting make_gateway_greeting(const std::optional<ChannelShape>& shape);
Result<ChannelShape> read_gateway_greeting(const GatewayGreeting& greeting);

// The address of a socket's path, or an error when the path is too long for the system.
Result<void> fill_address(const char* path, sockaddr_un& address);

// Sends the gateway's greeting with the memory's descriptor; without one when `memory` is negative.
bool send_greeting(int socket, const GatewayGreeting& greeting, int memory);

// Never waits; a full socket means that the peer has doorbells to read already.
void ring_doorbell(int socket);

// Takes waiting doorbells (at most 4 KiB of them). False when the peer has closed.
bool clear_doorbell(int socket);

}  // namespace godwit::local
