// Adam (Kingma and Ba 2015) with the constants of the paper: nearly equal steps everywhere.
//
// Thread: one owner. Memory: 8 bytes a parameter.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace godwit::bench_codec {

class Adam {
 public:
  Adam(std::size_t parameters, float rate) : rate_(rate), mean_(parameters), square_(parameters) {}

  void follow(std::span<float> parameters, std::span<const float> gradient) {
    constexpr float kBeta1 = 0.9F;
    constexpr float kBeta2 = 0.999F;
    ++step_;
    const float scale1 = 1 / (1 - std::pow(kBeta1, static_cast<float>(step_)));
    const float scale2 = 1 / (1 - std::pow(kBeta2, static_cast<float>(step_)));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      mean_[i] += (1 - kBeta1) * (gradient[i] - mean_[i]);
      square_[i] += (1 - kBeta2) * (gradient[i] * gradient[i] - square_[i]);
      parameters[i] -= rate_ * mean_[i] * scale1 / (std::sqrt(square_[i] * scale2) + 1e-8F);
    }
  }

 private:
  float rate_;
  std::vector<float> mean_;
  std::vector<float> square_;
  int step_ = 0;
};

}  // namespace godwit::bench_codec
