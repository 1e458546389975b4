// The memory that a site's parameter server shares with its worker processes, and their rendezvous.
//
//   server:  begin_step() ───────────────▶ wait_for_workers() ─▶ reads gradients, writes parameters
//   worker:  wait_for_step() ─▶ reads parameters, writes its gradient ─▶ finish_step()
//
// Between begin_step and wait_for_workers nobody writes the parameters: bulk-synchronous.
//
// Thread: one server process, `workers` worker processes forked from it. Memory: one anonymous
// shared mapping of (1 + workers) × kParameters floats.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::trainer {

inline constexpr std::size_t kWorkersMax = 16;

class SiteMemory {
 public:
  static Result<SiteMemory> create(std::size_t workers);
  SiteMemory(SiteMemory&& other) noexcept;
  SiteMemory& operator=(SiteMemory&&) = delete;
  ~SiteMemory();

  std::span<float> parameters();
  std::span<float> gradient(std::size_t worker);
  std::size_t workers() const { return workers_; }
  float mean_loss() const;

  // Server: lets the workers compute one gradient, then waits for all of them. False at `deadline`.
  void begin_step();
  bool wait_for_workers(Instant deadline);
  // Server: wakes the workers for the last time.
  void finish();

  // Worker: waits for the next step; false when the server has finished.
  bool wait_for_step(std::uint32_t& seen);
  void finish_step(std::size_t worker, float loss);

 private:
  struct Shared;
  SiteMemory(Shared* shared, std::size_t bytes, std::size_t workers);

  Shared* shared_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t workers_ = 0;
};

}  // namespace godwit::trainer
