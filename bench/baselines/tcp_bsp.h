// Bulk-synchronous exchange over kernel TCP: all to all of fp32 sums every H local steps, wait for
// all.
//
// Thread: the caller's only. Memory: (2 + sites) × 4 B × elements at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/baselines/tcp_mesh.h"
#include "bench/workloads/trainer/exchange.h"

namespace godwit::baselines {

class TcpBsp final : public trainer::Exchange {
 public:
  // `local_steps` is H >= 1. `cancelled` is asked while waiting for others: true ends the wait.
  TcpBsp(MeshOptions options, std::size_t elements, std::uint64_t local_steps, bool (*cancelled)());

  Result<void> connect(Instant deadline) override;
  Result<void> publish(std::uint64_t step, std::span<const float> delta) override;
  Result<void> collect(std::uint64_t step, std::span<float> parameters) override;
  bool lockstep() const override { return true; }
  std::string description() const override;

 private:
  struct Peer;
  Result<void> exchange_round(std::uint64_t round);
  Result<void> send_some(std::size_t peer, std::size_t& sent);

  MeshOptions options_;
  std::uint64_t local_steps_;
  bool (*cancelled_)();
  std::optional<TcpMesh> mesh_;
  std::vector<float> pending_;      // own deltas since the last round
  std::vector<float> inbox_;        // the others' of this round
  std::vector<std::byte> message_;  // header and payload of this round
  std::vector<std::byte> buffer_;
};

}  // namespace godwit::baselines
