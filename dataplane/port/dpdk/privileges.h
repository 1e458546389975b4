// What the kernel must allow a process before it may use a kind of device, and what is missing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::port {

// Capabilities that the driver needs and this thread has not, e.g. {"CAP_NET_RAW"}. Empty: all are
// there, or the driver needs none.
std::vector<std::string_view> missing_capabilities(std::string_view driver);

// " It needs CAP_NET_RAW; …what to do." when something is missing, else nothing.
std::string advice_on_capabilities(std::string_view driver);

// How much memory this process may lock now, by trying: `most` bytes, or half of it, and so on. A
// capability does not tell: in a user namespace of one's own it does not count for locking.
std::size_t lockable_bytes(std::size_t most);

}  // namespace godwit::port
