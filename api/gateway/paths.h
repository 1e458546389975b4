// Paths of files and sockets as an operator writes them.
#pragma once

#include <optional>
#include <string>

namespace godwit::gateway {

// Why no Unix socket can have this path (sockaddr_un takes 107 bytes), and what to do; nothing when
// one can.
std::optional<std::string> socket_path_problem(const std::string& path);

// True when the texts lead to the same place, links aside: "/run/./s" and "/run/s".
bool is_same_path(const std::string& one, const std::string& other);

// A worker's own of something that all have, such as the client socket: worker 0 has the path
// itself, so that a gateway with one is as if there were none; the others have "PATH.1" and so on.
std::string numbered(const std::string& path, std::uint32_t worker);

// Where a worker captures its packets; a capture that is full becomes FILE.1, so never that.
std::string capture_of(const std::string& path, std::uint32_t worker);

// True when the first leads to the second or to something in it, links aside.
bool is_inside(const std::string& path, const std::string& directory);

// True when there is a directory.
bool is_directory(const std::string& path);

}  // namespace godwit::gateway
