// A worker process: computes gradients of random batches of its site's samples, until the server
// ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/workloads/trainer/dataset.h"
#include "bench/workloads/trainer/site_memory.h"

namespace godwit::trainer {

// Returns when the server has finished. `own` are the indices of the site's samples; the batches
// follow from `seed` alone, so every run sees the same ones.
void run_worker(SiteMemory& memory,
                std::size_t worker,
                const Dataset& data,
                std::span<const std::uint32_t> own,
                std::size_t batch,
                std::uint64_t seed);

}  // namespace godwit::trainer
