// The memory that a gateway and one client share: both rings in one sealed memfd.
//
//   0 ─ to_gateway control ─ 128 ─ to_client control ─ 256 … 4096 ─ to_gateway bytes ─ to_client
//   bytes
//
// The gateway makes it and seals its size, so a client that truncates cannot raise SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>

#include "api/local/descriptor.h"
#include "api/local/ring.h"
#include "dataplane/base/result.h"

namespace godwit::local {

// What both sides must agree on before anything is mapped.
struct ChannelShape {
  std::uint64_t to_gateway_bytes = 0;
  std::uint64_t to_client_bytes = 0;

  // Powers of two between the ring limits.
  bool is_possible() const;
  std::size_t total_bytes() const;
};

class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  // The gateway's side: new, zeroed, size sealed.
  static Result<SharedMemory> create(ChannelShape shape);
  // The client's side: checks size and seals of what it was given.
  static Result<SharedMemory> map(Descriptor memory, ChannelShape shape);

  RingMemory to_gateway() const;
  RingMemory to_client() const;
  int fd() const { return memory_.get(); }

 private:
  Result<void> map_now();

  Descriptor memory_;
  ChannelShape shape_;
  std::byte* base_ = nullptr;
};

}  // namespace godwit::local
