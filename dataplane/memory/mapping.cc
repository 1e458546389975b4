#include "dataplane/memory/mapping.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/assert.h"

namespace godwit::memory {

namespace {

Failure io_failure(const std::string& path, const char* action) {
  return fail(Code::kIo, "{}: cannot {}: {}", path, action, error_text(errno));
}

// fallocate, begun anew when a signal interrupts it; 0 or the error number.
int allocate(int file, int mode, std::uint64_t offset, std::uint64_t bytes) {
  for (;;) {
    if (::fallocate(file, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) {
      return 0;
    }
    if (errno != EINTR) {
      return errno;
    }
  }
}

}  // namespace

Result<Mapping> Mapping::open(const std::string& path, std::uint64_t bytes) {
  GODWIT_ASSERT(bytes > 0 && bytes % kGranuleBytes == 0);
  Mapping mapping;
  mapping.path_ = path;
  mapping.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (mapping.file_ < 0) {
    return io_failure(path, "open");
  }
  if (::flock(mapping.file_, LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kRefused, "{}: another process has it open", path);
  }
  struct stat status {};
  if (::fstat(mapping.file_, &status) != 0) {
    return io_failure(path, "stat");
  }
  mapping.existed_ = status.st_size > 0;
  if (mapping.existed_ && static_cast<std::uint64_t>(status.st_size) != bytes) {
    return fail(Code::kInvalid,
                "{}: has {} bytes, expected {}: it was made for another topic shape",
                path,
                status.st_size,
                bytes);
  }
  if (!mapping.existed_ && ::ftruncate(mapping.file_, static_cast<off_t>(bytes)) != 0) {
    return io_failure(path, "set the size");
  }
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mapping.file_, 0);
  if (address == MAP_FAILED) {
    return io_failure(path, "map");
  }
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.size_ = bytes;
  mapping.reserved_.resize((bytes / kGranuleBytes + 63) / 64);
  return mapping;
}

Result<Mapping> Mapping::anonymous(std::uint64_t bytes, std::uint64_t storage_max) {
  GODWIT_ASSERT(bytes > 0 && bytes % kGranuleBytes == 0);
  Mapping mapping;
  mapping.path_ = "anonymous memory";
  mapping.storage_max_ = storage_max;
  void* address = ::mmap(
      nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return io_failure(mapping.path_, "map");
  }
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.size_ = bytes;
  mapping.reserved_.resize((bytes / kGranuleBytes + 63) / 64);
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept {
  *this = std::move(other);
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    close();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    file_ = std::exchange(other.file_, -1);
    existed_ = other.existed_;
    path_ = std::move(other.path_);
    storage_max_ = other.storage_max_;
    reserved_granules_ = std::exchange(other.reserved_granules_, 0);
    reserved_ = std::move(other.reserved_);
  }
  return *this;
}

Mapping::~Mapping() {
  close();
}

void Mapping::close() {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
    data_ = nullptr;
  }
  if (file_ >= 0) {
    ::close(file_);
    file_ = -1;
  }
}

bool Mapping::is_reserved(std::uint64_t granule) const {
  return ((reserved_[granule / 64] >> (granule % 64)) & 1U) != 0;
}

Result<void> Mapping::reserve(std::uint64_t offset, std::uint64_t bytes) {
  GODWIT_ASSERT(offset <= size_ && bytes <= size_ - offset, "the layout lies in the mapping");
  const std::uint64_t first = offset / kGranuleBytes;
  const std::uint64_t end = (offset + bytes + kGranuleBytes - 1) / kGranuleBytes;
  for (std::uint64_t granule = first; granule < end; ++granule) {
    if (is_reserved(granule)) {
      continue;
    }
    const int error = file_ >= 0
                          ? allocate(file_, 0, granule * kGranuleBytes, kGranuleBytes)
                          : ((reserved_granules_ + 1) * kGranuleBytes > storage_max_ ? ENOSPC : 0);
    if (error == ENOSPC || error == EDQUOT || error == ENOMEM) {
      return fail(Code::kFull, "{}: no storage for {} more bytes", path_, kGranuleBytes);
    }
    if (error != 0) {
      return fail(Code::kIo, "{}: cannot reserve storage: {}", path_, error_text(error));
    }
    reserved_[granule / 64] |= std::uint64_t{1} << (granule % 64);
    ++reserved_granules_;
  }
  return {};
}

void Mapping::release(std::uint64_t offset, std::uint64_t bytes) {
  GODWIT_ASSERT(offset <= size_ && bytes <= size_ - offset, "the layout lies in the mapping");
  const std::uint64_t first = (offset + kGranuleBytes - 1) / kGranuleBytes;
  const std::uint64_t end = (offset + bytes) / kGranuleBytes;
  if (first >= end) {
    return;
  }
  const std::uint64_t begin_byte = first * kGranuleBytes;
  const std::uint64_t byte_count = (end - first) * kGranuleBytes;
  // A failure leaves the storage in use, which is a cost and not an error.
  if (file_ >= 0) {
    static_cast<void>(
        allocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin_byte, byte_count));
  } else {
    ::madvise(data_ + begin_byte, byte_count, MADV_DONTNEED);
  }
  for (std::uint64_t granule = first; granule < end; ++granule) {
    if (is_reserved(granule)) {
      reserved_[granule / 64] &= ~(std::uint64_t{1} << (granule % 64));
      --reserved_granules_;
    }
  }
}

std::span<std::byte> Mapping::part(std::uint64_t offset, std::uint64_t count) const {
  GODWIT_ASSERT(offset <= size_ && count <= size_ - offset, "the layout lies in the mapping");
  return {data_ + offset, count};
}

std::uint64_t Mapping::storage_bytes() const {
  if (file_ < 0) {
    return reserved_granules_ * kGranuleBytes;
  }
  struct stat status {};
  if (::fstat(file_, &status) != 0) {
    return reserved_granules_ * kGranuleBytes;
  }
  return static_cast<std::uint64_t>(status.st_blocks) * 512;  // stat(2): units of 512 bytes
}

}  // namespace godwit::memory
