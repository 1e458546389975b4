#include "api/gateway/paths.h"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <sys/un.h>

namespace godwit::gateway {
namespace {

constexpr std::size_t kSocketPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

std::optional<std::string> socket_path_problem(const std::string& path) {
  if (path.size() <= kSocketPathBytesMax) {
    return std::nullopt;
  }
  return fmt::format("\"{}\" has {} bytes; a socket's path has at most {}: choose a shorter one",
                     path,
                     path.size(),
                     kSocketPathBytesMax);
}

bool is_same_path(const std::string& one, const std::string& other) {
  using std::filesystem::path;
  return path(one).lexically_normal() == path(other).lexically_normal();
}

bool is_directory(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::is_directory(path, unknown);
}

}  // namespace godwit::gateway
