#include "api/gateway/paths.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <sys/un.h>

namespace godwit::gateway {
namespace {

constexpr std::size_t kSocketPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

std::optional<std::string> socket_path_problem(const std::string& path) {
  if (path.ends_with('/')) {
    return fmt::format("\"{}\" is a directory; give the path of a socket in it", path);
  }
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

std::string numbered(const std::string& path, std::uint32_t worker) {
  return worker == 0 ? path : fmt::format("{}.{}", path, worker);
}

std::string capture_of(const std::string& path, std::uint32_t worker) {
  return worker == 0 ? path : fmt::format("{}.worker{}", path, worker);
}

bool is_inside(const std::string& path, const std::string& directory) {
  // "/run/s/" and "/run/s" are one directory: the part behind the last '/' is empty.
  const auto plain = [](const std::string& text) {
    auto normal = std::filesystem::path(text).lexically_normal();
    return normal.has_filename() ? normal : normal.parent_path();
  };
  const auto inner = plain(path);
  const auto outer = plain(directory);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

bool is_directory(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::is_directory(path, unknown);
}

}  // namespace godwit::gateway
