#include "bench/workloads/trainer/worker.h"

#include <vector>

#include "bench/workloads/trainer/model.h"
#include "dataplane/base/random.h"

namespace godwit::trainer {

void run_worker(SiteMemory& memory,
                std::size_t worker,
                const Dataset& data,
                std::span<const std::uint32_t> own,
                std::size_t batch,
                std::uint64_t seed) {
  Perceptron model(batch, pixel_means(data));
  Random random(seed);
  std::vector<std::uint32_t> indices(batch);
  std::uint32_t seen = 0;
  while (memory.wait_for_step(seen)) {
    for (std::uint32_t& index : indices) {
      index = own[random.below(own.size())];
    }
    const float loss = model.gradient(memory.parameters(), data, indices, memory.gradient(worker));
    memory.finish_step(worker, loss);
  }
}

}  // namespace godwit::trainer
