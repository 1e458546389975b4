#include "bench/codec/npy.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

namespace godwit::bench_codec {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kPrefix = kMagic.size() + sizeof(std::uint16_t);
constexpr std::size_t kAligned = 64;
constexpr std::size_t kValuesMax = std::size_t{1} << 30U;

std::string header_of(std::size_t count) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", count);
  header.append(kAligned - 1 - (kPrefix + header.size()) % kAligned, ' ');
  header.push_back('\n');
  return header;
}

}  // namespace

Result<void> write_npy(const std::string& path, std::span<const float> values) {
  const std::string header = header_of(values.size());
  const auto size = static_cast<std::uint16_t>(header.size());
  std::ofstream file(path, std::ios::binary);
  file << kMagic;
  file.write(reinterpret_cast<const char*>(&size), sizeof(size));
  file << header;
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
  file.close();
  return file ? Result<void>() : system_failure(path, "cannot be written");
}

Result<std::vector<float>> read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return fail(Code::kNotFound, "{}: {}", path, error_text(errno));
  }
  const auto bytes = static_cast<std::size_t>(file.tellg());
  file.seekg(0);
  if (bytes > kValuesMax * sizeof(float)) {
    return fail(Code::kCorrupt, "{}: more than {} values", path, kValuesMax);
  }
  std::string content(bytes, '\0');
  if (!file.read(content.data(), static_cast<std::streamsize>(bytes))) {
    return system_failure(path, "cannot be read");
  }
  // The header of as many values as there are is the only one that is right.
  constexpr std::size_t kFront = 2 * kAligned;
  const std::size_t count = bytes < kFront ? 0 : (bytes - kFront) / sizeof(float);
  const std::string header = header_of(count);
  if (bytes == kFront + count * sizeof(float) && content.starts_with(kMagic) &&
      content.compare(kPrefix, kFront - kPrefix, header) == 0) {
    std::vector<float> values(count);
    std::memcpy(values.data(), content.data() + kFront, count * sizeof(float));
    return values;
  }
  return fail(Code::kCorrupt, "{}: is no one-dimensional NumPy file of float32", path);
}

}  // namespace godwit::bench_codec
