#include "bench/workloads/trainer/model.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <Eigen/Core>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"

namespace godwit::trainer {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::Matrix<float, 1, Eigen::Dynamic>;
using Index = Eigen::Index;

// The deviation of the training pixels in [0, 1]: computed once from the 60,000 images.
constexpr float kPixelDeviation = 0.3530F;

// The three layers as views of one flat vector; `Float` is float or const float.
template <class Float, class MatrixType, class VectorType>
struct Layers {
  using MatrixMap = Eigen::Map<MatrixType>;
  using VectorMap = Eigen::Map<VectorType>;

  explicit Layers(std::span<Float> flat)
      : weights1(flat.data(), kPixels, kHidden1),
        bias1(weights1.data() + weights1.size(), kHidden1),
        weights2(bias1.data() + bias1.size(), kHidden1, kHidden2),
        bias2(weights2.data() + weights2.size(), kHidden2),
        weights3(bias2.data() + bias2.size(), kHidden2, kClasses),
        bias3(weights3.data() + weights3.size(), kClasses) {
    GODWIT_ASSERT(flat.size() == kParameters);
  }

  MatrixMap weights1;
  VectorMap bias1;
  MatrixMap weights2;
  VectorMap bias2;
  MatrixMap weights3;
  VectorMap bias3;
};

using ConstLayers = Layers<const float, const Matrix, const Vector>;
using MutableLayers = Layers<float, Matrix, Vector>;

// A normal variate by Box and Muller (1958).
float normal(Random& random) {
  const double u = 1.0 - random.uniform();
  const double v = random.uniform();
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

}  // namespace

struct Perceptron::Scratch {
  Scratch(std::size_t batch_max, std::vector<float> pixel_means)
      : means(std::move(pixel_means)),
        input(static_cast<Index>(batch_max), static_cast<Index>(kPixels)),
        hidden1(static_cast<Index>(batch_max), static_cast<Index>(kHidden1)),
        hidden2(static_cast<Index>(batch_max), static_cast<Index>(kHidden2)),
        output(static_cast<Index>(batch_max), static_cast<Index>(kClasses)),
        back1(static_cast<Index>(batch_max), static_cast<Index>(kHidden1)),
        back2(static_cast<Index>(batch_max), static_cast<Index>(kHidden2)) {}

  void load(Index row, std::span<const std::uint8_t> image) {
    for (std::size_t p = 0; p < kPixels; ++p) {
      const float grey = static_cast<float>(image[p]) * (1.0F / 255.0F);
      input(row, static_cast<Index>(p)) = (grey - means[p]) * (1.0F / kPixelDeviation);
    }
  }

  // Leaves the logits of the first `rows` inputs in `output`.
  void forward(const ConstLayers& layers, Index rows) {
    hidden1.topRows(rows).noalias() = input.topRows(rows) * layers.weights1;
    hidden1.topRows(rows).rowwise() += layers.bias1;
    hidden1.topRows(rows) = hidden1.topRows(rows).cwiseMax(0.0F);
    hidden2.topRows(rows).noalias() = hidden1.topRows(rows) * layers.weights2;
    hidden2.topRows(rows).rowwise() += layers.bias2;
    hidden2.topRows(rows) = hidden2.topRows(rows).cwiseMax(0.0F);
    output.topRows(rows).noalias() = hidden2.topRows(rows) * layers.weights3;
    output.topRows(rows).rowwise() += layers.bias3;
  }

  // Turns logits into d loss / d logits for one row and returns the row's loss.
  float softmax_row(Index row, std::size_t label, float weight) {
    auto logits = output.row(row);
    const float largest = logits.maxCoeff();
    logits = (logits.array() - largest).exp();
    const float total = logits.sum();
    const auto wanted = static_cast<Index>(label);
    const float loss = std::log(total) - std::log(std::max(logits(wanted), 1e-30F));
    logits *= weight / total;
    logits(wanted) -= weight;
    return loss;
  }

  std::vector<float> means;
  Matrix input;
  Matrix hidden1;
  Matrix hidden2;
  Matrix output;
  Matrix back1;
  Matrix back2;
};

Perceptron::Perceptron(std::size_t batch_max, std::vector<float> means)
    : scratch_(std::make_unique<Scratch>(batch_max, std::move(means))) {
  GODWIT_ASSERT(scratch_->means.size() == kPixels);
}
Perceptron::~Perceptron() = default;

std::vector<float> pixel_means(const Dataset& data) {
  std::vector<double> sums(kPixels, 0.0);
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto image = data.image(i);
    for (std::size_t p = 0; p < kPixels; ++p) {
      sums[p] += image[p];
    }
  }
  std::vector<float> means;
  means.reserve(sums.size());
  for (const double sum : sums) {
    means.push_back(static_cast<float>(sum / (255.0 * static_cast<double>(data.size()))));
  }
  return means;
}

std::vector<float> seed_parameters(std::uint64_t seed) {
  std::vector<float> flat(kParameters, 0.0F);
  MutableLayers layers{std::span<float>(flat)};
  Random random(seed);
  for (auto* weights : {&layers.weights1, &layers.weights2, &layers.weights3}) {
    const float deviation = std::sqrt(2.0F / static_cast<float>(weights->rows()));
    for (Index i = 0; i < weights->size(); ++i) {
      weights->data()[i] = deviation * normal(random);
    }
  }
  return flat;
}

float Perceptron::gradient(std::span<const float> parameters,
                           const Dataset& data,
                           std::span<const std::uint32_t> indices,
                           std::span<float> gradient) {
  Scratch& s = *scratch_;
  const auto rows = static_cast<Index>(indices.size());
  GODWIT_ASSERT(rows >= 1 && rows <= s.input.rows());
  const ConstLayers layers(parameters);
  MutableLayers out(gradient);
  for (Index row = 0; row < rows; ++row) {
    s.load(row, data.image(indices[static_cast<std::size_t>(row)]));
  }
  s.forward(layers, rows);
  const float weight = 1.0F / static_cast<float>(rows);
  float loss = 0.0F;
  for (Index row = 0; row < rows; ++row) {
    loss += s.softmax_row(row, data.labels[indices[static_cast<std::size_t>(row)]], weight);
  }
  const auto input = s.input.topRows(rows);
  const auto hidden1 = s.hidden1.topRows(rows);
  const auto hidden2 = s.hidden2.topRows(rows);
  const auto output = s.output.topRows(rows);
  auto back1 = s.back1.topRows(rows);
  auto back2 = s.back2.topRows(rows);

  out.weights3.noalias() = hidden2.transpose() * output;
  out.bias3 = output.colwise().sum();
  back2.noalias() = output * layers.weights3.transpose();
  back2.array() *= (hidden2.array() > 0.0F).cast<float>();
  out.weights2.noalias() = hidden1.transpose() * back2;
  out.bias2 = back2.colwise().sum();
  back1.noalias() = back2 * layers.weights2.transpose();
  back1.array() *= (hidden1.array() > 0.0F).cast<float>();
  out.weights1.noalias() = input.transpose() * back1;
  out.bias1 = back1.colwise().sum();
  return loss * weight;
}

std::size_t Perceptron::correct(std::span<const float> parameters,
                                const Dataset& data,
                                std::size_t first,
                                std::size_t count) {
  Scratch& s = *scratch_;
  GODWIT_ASSERT(first + count <= data.size());
  const ConstLayers layers(parameters);
  std::size_t right = 0;
  for (std::size_t done = 0; done < count;) {
    const Index rows = std::min(s.input.rows(), static_cast<Index>(count - done));
    for (Index row = 0; row < rows; ++row) {
      s.load(row, data.image(first + done + static_cast<std::size_t>(row)));
    }
    s.forward(layers, rows);
    for (Index row = 0; row < rows; ++row) {
      Index best = 0;
      s.output.row(row).maxCoeff(&best);
      const std::size_t sample = first + done + static_cast<std::size_t>(row);
      right += static_cast<std::size_t>(best) == data.labels[sample] ? 1U : 0U;
    }
    done += static_cast<std::size_t>(rows);
  }
  return right;
}

}  // namespace godwit::trainer
