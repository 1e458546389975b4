#include "api/gateway/identity.h"

#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

namespace godwit::gateway {
namespace {

// File: magic u32, counter u32, nonce u32, crc32c u32 of the first twelve bytes.
constexpr std::uint32_t kMagic = 0x49574447;  // "GDWI"

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return fail(Code::kIo, "{}: cannot be created: {}", path, error.message());
  }
  ::chmod(path.c_str(), S_IRWXU);
  return {};
}

// nullopt when there is no such file.
Result<std::optional<Incarnation>> read_incarnation(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) {
      return std::optional<Incarnation>{};
    }
    return system_failure(path, "cannot be read");
  }
  std::array<std::byte, kIncarnationFileBytes + 1> bytes{};  // one more shows a longer file
  const auto got = ::read(file.get(), bytes.data(), bytes.size());
  if (got < 0) {
    return system_failure(path, "cannot be read");
  }
  const auto decoded = decode_incarnation(std::span(bytes).first(static_cast<std::size_t>(got)));
  if (!decoded) {
    return fail(Code::kCorrupt,
                "{}: is damaged ({}); restore it, or remove both it and the state directory after "
                "telling the peers' operators",
                path,
                decoded.error().message);
  }
  return std::optional(*decoded);
}

// Written beside, synced, renamed over: the file is the old one or the new one.
Result<void> write_incarnation(const std::string& directory,
                               const std::string& path,
                               Incarnation incarnation) {
  const auto bytes = encode_incarnation(incarnation);
  const std::string beside = path + ".new";
  const Descriptor file(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.get() < 0) {
    return system_failure(beside, "cannot be written");
  }
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(file.get()) != 0 || ::rename(beside.c_str(), path.c_str()) != 0) {
    return system_failure(path, "cannot be written");
  }
  const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(parent.get()) != 0) {
    return system_failure(directory, "cannot be synced");
  }
  return {};
}

// The lock lives as long as the process: the descriptor is left open on purpose.
Result<void> lock_directory(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) {
    return system_failure(path, "cannot be opened");
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fail(Code::kRefused,
                "{}: another gateway uses this state directory; stop it first, or give this one "
                "its own state_dir",
                path);
  }
  return {};
}

}  // namespace

std::array<std::byte, kIncarnationFileBytes> encode_incarnation(Incarnation incarnation) {
  std::array<std::byte, kIncarnationFileBytes> file{};
  ByteWriter writer(file);
  writer.u32(kMagic);
  writer.u32(incarnation.counter);
  writer.u32(incarnation.nonce);
  writer.u32(crc32c(writer.written()));
  return file;
}

Result<Incarnation> decode_incarnation(std::span<const std::byte> file) {
  if (file.size() != kIncarnationFileBytes) {
    return fail(Code::kCorrupt, "{} bytes and more, not {}", file.size(), kIncarnationFileBytes);
  }
  ByteReader reader(file);
  const std::uint32_t magic = reader.u32();
  const Incarnation incarnation{reader.u32(), reader.u32()};
  if (magic != kMagic || reader.u32() != crc32c(file.first(kIncarnationFileBytes - 4))) {
    return fail(Code::kCorrupt, "its checksum is another");
  }
  if (incarnation.counter == 0) {
    return fail(Code::kCorrupt, "its counter is 0, the first is 1");
  }
  return incarnation;
}

Result<Incarnation> recover_or_begin_incarnation(const std::string& state_dir,
                                                 const std::string& durable_dir,
                                                 std::uint32_t nonce) {
  for (const auto& directory : {state_dir, durable_dir}) {
    if (auto made = make_directory(directory); !made) {
      return Failure(made.error());
    }
  }
  if (auto locked = lock_directory(state_dir); !locked) {
    return Failure(locked.error());
  }
  const std::string of_state = state_dir + "/incarnation";
  const std::string of_disk = durable_dir + "/incarnation";
  auto recovered = read_incarnation(of_state);
  if (!recovered) {
    return Failure(recovered.error());
  }
  if (*recovered) {
    return **recovered;
  }
  auto last = read_incarnation(of_disk);
  if (!last) {
    return Failure(last.error());
  }
  if (*last && (*last)->counter == std::numeric_limits<std::uint32_t>::max()) {
    return fail(
        Code::kRefused, "{}: its counter has come to its end; the site needs a new name", of_disk);
  }
  const Incarnation next{*last ? (*last)->counter + 1 : 1, nonce};
  if (auto written = write_incarnation(durable_dir, of_disk, next); !written) {
    return Failure(written.error());
  }
  if (auto written = write_incarnation(state_dir, of_state, next); !written) {
    return Failure(written.error());
  }
  return next;
}

}  // namespace godwit::gateway
