// The model that is trained: a multilayer perceptron 784-1024-200-10, ReLU, softmax, 1,010,850 fp32
// parameters.
//
// All parameters lie in one flat vector (layer by layer: weights by input row, then biases), which
// is what the sites exchange. Computation is Eigen's, in fp32; Eigen appears only in model.cc.
//
// Thread: one owner per Perceptron (it holds scratch). Memory: proportional to batch_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/workloads/trainer/dataset.h"

namespace godwit::trainer {

// Chosen: the smallest round shape above one million parameters, so that what is measured is the
// WAN and not the two cores that all sites share.
inline constexpr std::size_t kHidden1 = 1024;
inline constexpr std::size_t kHidden2 = 200;
inline constexpr std::size_t kParameters =
    (kPixels + 1) * kHidden1 + (kHidden1 + 1) * kHidden2 + (kHidden2 + 1) * kClasses;

// He's initialisation (He et al. 2015): normal with variance 2 / inputs, biases zero.
std::vector<float> seed_parameters(std::uint64_t seed);

// The mean of every pixel over a data set, in [0, 1]: what the model subtracts from its inputs.
// Without it the mean image dominates the curvature, and delayed deltas need three times the steps
// (measured).
std::vector<float> pixel_means(const Dataset& data);

class Perceptron {
 public:
  // `means` are those of the training set, kPixels of them.
  Perceptron(std::size_t batch_max, std::vector<float> means);
  ~Perceptron();
  Perceptron(const Perceptron&) = delete;
  Perceptron& operator=(const Perceptron&) = delete;

  // Writes the mean gradient of the cross entropy over the samples `indices` into `gradient` and
  // returns the mean loss. 1 <= indices.size() <= batch_max; both spans have kParameters elements.
  float gradient(std::span<const float> parameters,
                 const Dataset& data,
                 std::span<const std::uint32_t> indices,
                 std::span<float> gradient);

  // How many of the samples [first, first + count) are classified rightly.
  std::size_t correct(std::span<const float> parameters,
                      const Dataset& data,
                      std::size_t first,
                      std::size_t count);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace godwit::trainer
