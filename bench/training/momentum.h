// Nesterov's momentum over changes, as an outer optimiser applies it (DiLoCo, Douillard et al.
// 2023).
//
// A change that comes again and again is added rate / (1 - momentum) times in the end. Rate 1 and
// momentum 0 are plain averaging.
//
// Thread: one owner. Memory: 4 bytes an element.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace godwit::bench_training {

class Momentum {
 public:
  Momentum(std::size_t elements, float rate, float momentum)
      : rate_(rate), momentum_(momentum), velocity_(elements) {}

  // Turns a change into the step that is made of it.
  void turn(std::span<float> change) {
    for (std::size_t i = 0; i < change.size(); ++i) {
      velocity_[i] = momentum_ * velocity_[i] + change[i];
      change[i] = rate_ * (change[i] + momentum_ * velocity_[i]);
    }
  }

 private:
  float rate_;
  float momentum_;
  std::vector<float> velocity_;
};

}  // namespace godwit::bench_training
