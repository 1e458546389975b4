#include "bench/workloads/trainer/file.h"

#include <cerrno>
#include <cstdio>
#include <memory>

namespace godwit::trainer {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

bool write(std::FILE* file, std::span<const std::byte> part) {
  return std::fwrite(part.data(), 1, part.size(), file) == part.size();
}

}  // namespace

Result<void> write_file(const std::string& path,
                        std::span<const std::byte> head,
                        std::span<const std::byte> body) {
  const std::string aside = path + ".part";
  File file(std::fopen(aside.c_str(), "wb"));
  if (!file || !write(file.get(), head) || !write(file.get(), body) ||
      std::fflush(file.get()) != 0) {
    return fail(Code::kIo, "{}: {}", aside, error_text(errno));
  }
  file.reset();
  if (std::rename(aside.c_str(), path.c_str()) != 0) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno));
  }
  return {};
}

Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t bytes_max) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    return fail(Code::kNotFound, "{}: {}", path, error_text(errno));
  }
  std::vector<std::byte> bytes(bytes_max + 1);
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno));
  }
  if (bytes.size() > bytes_max) {
    return fail(Code::kCorrupt, "{}: has more than {} bytes", path, bytes_max);
  }
  return bytes;
}

}  // namespace godwit::trainer
