#include "bench/workloads/through/published_sums.h"

#include <cstring>

#include "bench/workloads/trainer/file.h"
#include "dataplane/base/bytes.h"

namespace godwit::through {

Result<void> write_sums(const std::string& path, std::span<const std::int64_t> sums) {
  const std::uint64_t count = sums.size();
  return trainer::write_file(path, std::as_bytes(std::span(&count, 1)), std::as_bytes(sums));
}

Result<std::vector<std::int64_t>> parse_sums(std::span<const std::byte> file,
                                             std::size_t elements) {
  ByteReader in(file);
  const std::uint64_t count = in.u64();
  if (!in.ok() || count != elements || in.remaining() != elements * sizeof(std::int64_t)) {
    return fail(Code::kCorrupt, "not the log of {} elements", elements);
  }
  std::vector<std::int64_t> sums(elements);
  if (elements > 0) {
    std::memcpy(sums.data(), in.bytes(in.remaining()).data(), elements * sizeof(std::int64_t));
  }
  return sums;
}

Result<std::vector<std::int64_t>> read_sums(const std::string& path, std::size_t elements) {
  return trainer::parse_file(path, sizeof(std::uint64_t) * (1 + elements), [&](auto bytes) {
    return parse_sums(bytes, elements);
  });
}

}  // namespace godwit::through
