// Asynchronous exchange over kernel TCP: what a careful engineer builds without Godwit.
//
// Per peer there is ONE pending fp32 buffer. While the socket is busy, deltas are added into it;
// when the last frame has left, the buffer becomes the next frame. So there is never a queue of
// steps, and the link is never idle while anything is pending. Received elements count as soon as
// they arrive.
//
// Thread: the caller's, and one of its own for the sockets. Memory: (2 per peer + 1) × 4 B ×
// elements.
#pragma once

#include <cstddef>
#include <memory>

#include "bench/baselines/tcp_mesh.h"
#include "bench/workloads/trainer/exchange.h"

namespace godwit::baselines {

class TcpAsync final : public trainer::Exchange {
 public:
  TcpAsync(MeshOptions options, std::size_t elements);
  ~TcpAsync() override;

  Result<void> connect(Instant deadline) override;
  Result<void> publish(std::uint64_t step, std::span<const float> delta) override;
  Result<void> collect(std::uint64_t step, std::span<float> parameters) override;
  std::string description() const override;

 private:
  class Loop;
  MeshOptions options_;
  std::size_t elements_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace godwit::baselines
