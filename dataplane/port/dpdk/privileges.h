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

// ". This process lacks CAP_NET_RAW: …what to do" when something is missing, else nothing.
std::string advice_on_capabilities(std::string_view driver);

// Whether the content of a /proc/PID/uid_map is that of the host itself, where all ids are what
// they are. Capabilities of another user namespace do not reach what is the whole machine's.
bool is_of_host(std::string_view uid_map);

// How much memory this process may lock now, by trying: `most` bytes, or half of it, and so on. A
// capability does not tell: in a user namespace of one's own it does not count for locking.
std::size_t lockable_bytes(std::size_t most);

}  // namespace godwit::port
