#include "bench/workloads/trainer/snapshot.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "bench/workloads/trainer/model.h"

namespace godwit::trainer {
namespace {

constexpr std::uint64_t kMagic = 0x31'70'61'6e'73'77'67'00;  // "\0gwsnap1"

struct Header {
  std::uint64_t magic;
  std::uint64_t step;
  std::int64_t since_start_ns;
  std::uint64_t count;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

Result<void> write_snapshot(const std::string& folder,
                            std::uint64_t sequence,
                            std::uint64_t step,
                            Duration since_start,
                            std::span<const float> parameters) {
  const std::string path = fmt::format("{}/{:06}.snapshot", folder, sequence);
  const std::string aside = path + ".part";
  const Header header = {.magic = kMagic,
                         .step = step,
                         .since_start_ns = since_start.count_ns(),
                         .count = parameters.size()};
  File file(std::fopen(aside.c_str(), "wb"));
  if (!file || std::fwrite(&header, sizeof header, 1, file.get()) != 1 ||
      std::fwrite(parameters.data(), sizeof(float), parameters.size(), file.get()) !=
          parameters.size() ||
      std::fflush(file.get()) != 0) {
    return fail(Code::kIo, "{}: {}", aside, error_text(errno));
  }
  file.reset();
  if (std::rename(aside.c_str(), path.c_str()) != 0) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno));
  }
  return {};
}

Result<Snapshot> read_snapshot(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    return fail(Code::kNotFound, "{}: {}", path, error_text(errno));
  }
  Header header = {};
  if (std::fread(&header, sizeof header, 1, file.get()) != 1 || header.magic != kMagic ||
      header.count != kParameters) {
    return fail(Code::kCorrupt, "{}: not a snapshot of {} parameters", path, kParameters);
  }
  Snapshot snapshot = {.step = header.step,
                       .since_start = Duration::ns(header.since_start_ns),
                       .parameters = std::vector<float>(kParameters)};
  if (std::fread(snapshot.parameters.data(), sizeof(float), kParameters, file.get()) !=
      kParameters) {
    return fail(Code::kCorrupt, "{}: cut short", path);
  }
  return snapshot;
}

}  // namespace godwit::trainer
