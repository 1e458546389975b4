#include "api/local/shared_memory.h"

#include <bit>
#include <cerrno>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace godwit::local {
namespace {

constexpr std::size_t kControlBytes = 4096;  // one page for both controls
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

bool is_ring_size(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kRingBytesMin && bytes <= kRingBytesMax;
}

Failure os_failure(const char* what) {
  return fail(Code::kIo, "{}: {}", what, error_text(errno));
}

}  // namespace

bool ChannelShape::is_possible() const {
  return is_ring_size(to_gateway_bytes) && is_ring_size(to_client_bytes);
}

std::size_t ChannelShape::total_bytes() const {
  return kControlBytes + to_gateway_bytes + to_client_bytes;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : memory_(std::move(other.memory_)),
      shape_(other.shape_),
      base_(std::exchange(other.base_, nullptr)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(shape_, other.shape_);
  std::swap(base_, other.base_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (base_ != nullptr) {
    ::munmap(base_, shape_.total_bytes());
  }
}

Result<SharedMemory> SharedMemory::create(ChannelShape shape) {
  if (!shape.is_possible()) {
    return fail(Code::kInvalid,
                "ring sizes must be powers of two in [{}, {}]",
                kRingBytesMin,
                kRingBytesMax);
  }
  SharedMemory made;
  made.shape_ = shape;
  made.memory_ = Descriptor(::memfd_create("godwit-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.memory_) {
    return os_failure("memfd_create");
  }
  if (::ftruncate(made.fd(), static_cast<off_t>(shape.total_bytes())) != 0) {
    return os_failure("ftruncate of a channel's memory");
  }
  if (::fcntl(made.fd(), F_ADD_SEALS, kSeals) != 0) {
    return os_failure("sealing a channel's memory");
  }
  if (auto mapped = made.map_now(); !mapped) {
    return Failure(mapped.error());
  }
  // New pages are zero; this makes them objects.
  new (made.base_) RingControl[2]();
  return made;
}

Result<SharedMemory> SharedMemory::map(Descriptor memory, ChannelShape shape) {
  struct stat info {};
  if (!shape.is_possible() || !memory || ::fstat(memory.get(), &info) != 0 ||
      static_cast<std::uint64_t>(info.st_size) != shape.total_bytes()) {
    return fail(Code::kCorrupt, "the gateway's channel memory does not have the announced size");
  }
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return fail(Code::kCorrupt, "the gateway's channel memory is not sealed");
  }
  SharedMemory made;
  made.shape_ = shape;
  made.memory_ = std::move(memory);
  if (auto mapped = made.map_now(); !mapped) {
    return Failure(mapped.error());
  }
  return made;
}

Result<void> SharedMemory::map_now() {
  void* place = ::mmap(nullptr, shape_.total_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
  if (place == MAP_FAILED) {
    return os_failure("mapping a channel's memory");
  }
  base_ = static_cast<std::byte*>(place);
  return {};
}

RingMemory SharedMemory::to_gateway() const {
  void* control = base_;
  return {static_cast<RingControl*>(control), {base_ + kControlBytes, shape_.to_gateway_bytes}};
}

RingMemory SharedMemory::to_client() const {
  void* control = base_ + sizeof(RingControl);
  return {static_cast<RingControl*>(control),
          {base_ + kControlBytes + shape_.to_gateway_bytes, shape_.to_client_bytes}};
}

}  // namespace godwit::local
