#include "bench/workloads/trainer/snapshot.h"

#include <array>
#include <cstring>

#include "bench/workloads/trainer/file.h"
#include "bench/workloads/trainer/model.h"
#include "dataplane/base/bytes.h"

namespace godwit::trainer {
namespace {

constexpr std::uint64_t kMagic = 0x31'70'61'6e'73'77'67'00;  // "\0gwsnap1"
constexpr std::size_t kHeaderBytes = 32;

}  // namespace

Result<void> write_snapshot(const std::string& folder,
                            std::uint64_t sequence,
                            std::uint64_t step,
                            Duration since_start,
                            std::span<const float> parameters) {
  std::array<std::byte, kHeaderBytes> header{};
  ByteWriter out(header);
  out.u64(kMagic);
  out.u64(step);
  out.i64(since_start.count_ns());
  out.u64(parameters.size());
  return write_file(
      fmt::format("{}/{:06}.snapshot", folder, sequence), header, std::as_bytes(parameters));
}

Result<Snapshot> parse_snapshot(std::span<const std::byte> file, std::size_t count) {
  ByteReader in(file);
  const bool is_snapshot = in.u64() == kMagic;
  Snapshot snapshot;
  snapshot.step = in.u64();
  snapshot.since_start = Duration::ns(in.i64());
  const std::uint64_t announced = in.u64();
  if (!in.ok() || !is_snapshot || announced != count) {
    return fail(Code::kCorrupt, "not a snapshot of {} parameters", count);
  }
  if (in.remaining() != count * sizeof(float)) {
    return fail(
        Code::kCorrupt, "{} parameters announced, {} bytes of them there", count, in.remaining());
  }
  snapshot.parameters.resize(count);
  if (count > 0) {
    std::memcpy(snapshot.parameters.data(), in.bytes(in.remaining()).data(), count * sizeof(float));
  }
  return snapshot;
}

Result<Snapshot> read_snapshot(const std::string& path) {
  return parse_file(path, kHeaderBytes + kParameters * sizeof(float), [](auto bytes) {
    return parse_snapshot(bytes, kParameters);
  });
}

}  // namespace godwit::trainer
