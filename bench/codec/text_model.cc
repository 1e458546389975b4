#include "bench/codec/text_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <set>

#include <Eigen/Core>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"

namespace godwit::bench_codec {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::Matrix<float, 1, Eigen::Dynamic>;
using Index = Eigen::Index;

constexpr std::array<std::size_t, 4> kSizes = {kTextInputs, kTextHidden1, kTextHidden2, kTextBytes};
constexpr std::size_t kTextBytesMin = 100'000;
constexpr std::size_t kLayers = kSizes.size() - 1;

// The parameters as views of one flat vector; `Float` is float or const float.
template <class Float, class MatrixType, class VectorType>
struct Views {
  using MatrixMap = Eigen::Map<MatrixType>;
  using VectorMap = Eigen::Map<VectorType>;

  explicit Views(std::span<Float> flat) : embedding(flat.data(), kTextBytes, kTextEmbedding) {
    GODWIT_ASSERT(flat.size() == kTextParameters);
    Float* at = flat.data() + embedding.size();
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      weights.emplace_back(at, kSizes[layer], kSizes[layer + 1]);
      at += weights.back().size();
      biases.emplace_back(at, kSizes[layer + 1]);
      at += biases.back().size();
    }
  }

  MatrixMap embedding;
  std::vector<MatrixMap> weights;
  std::vector<VectorMap> biases;
};

using ConstViews = Views<const float, const Matrix, const Vector>;
using MutableViews = Views<float, Matrix, Vector>;

// A normal variate by Box and Muller (1958).
float normal(Random& random) {
  const double u = 1.0 - random.uniform();
  const double v = random.uniform();
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

}  // namespace

Result<std::string> load_text(const std::string& folder) {
  // In the order of names, so that the text is the same everywhere.
  std::error_code error;
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error) && !entry.is_symlink(error)) {
      paths.insert(entry.path());
    }
  }
  std::string text;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  if (text.size() < kTextBytesMin) {
    return fail(Code::kNotFound,
                "{}: {} bytes of text, at least {} are needed; is the package base-files there?",
                folder,
                text.size(),
                kTextBytesMin);
  }
  return text;
}

std::vector<float> seed_text_parameters(std::uint64_t seed) {
  std::vector<float> flat(kTextParameters, 0.0F);
  MutableViews views{std::span<float>(flat)};
  Random random(seed);
  const auto fill = [&](auto& matrix, float deviation) {
    for (Index i = 0; i < matrix.size(); ++i) {
      matrix.data()[i] = deviation * normal(random);
    }
  };
  fill(views.embedding, 1.0F);
  for (auto& weights : views.weights) {
    fill(weights, std::sqrt(2.0F / static_cast<float>(weights.rows())));
  }
  return flat;
}

// Activations of each layer and their gradients, a row for each byte that is predicted.
struct TextModel::Scratch {
  explicit Scratch(std::size_t batch_max) {
    for (std::size_t layer = 0; layer <= kLayers; ++layer) {
      values[layer].resize(static_cast<Index>(batch_max), static_cast<Index>(kSizes[layer]));
      slopes[layer].resize(static_cast<Index>(batch_max), static_cast<Index>(kSizes[layer]));
    }
  }

  std::array<Matrix, kLayers + 1> values;
  std::array<Matrix, kLayers + 1> slopes;
};

TextModel::TextModel(std::size_t batch_max) : scratch_(std::make_unique<Scratch>(batch_max)) {}
TextModel::~TextModel() = default;

float TextModel::gradient(std::span<const float> parameters,
                          std::span<const std::uint8_t> text,
                          std::span<const std::uint32_t> positions,
                          std::span<float> gradient) {
  Scratch& s = *scratch_;
  const auto rows = static_cast<Index>(positions.size());
  GODWIT_ASSERT(rows >= 1 && rows <= s.values[0].rows());
  const ConstViews views(parameters);
  MutableViews out(gradient);
  const auto context = [&](Index row, std::size_t at) {
    return text[positions[static_cast<std::size_t>(row)] - kTextContext + at];
  };
  for (Index row = 0; row < rows; ++row) {
    for (std::size_t at = 0; at < kTextContext; ++at) {
      s.values[0].row(row).segment(static_cast<Index>(at * kTextEmbedding), kTextEmbedding) =
          views.embedding.row(context(row, at));
    }
  }
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    auto next = s.values[layer + 1].topRows(rows);
    next.noalias() = s.values[layer].topRows(rows) * views.weights[layer];
    next.rowwise() += views.biases[layer];
    if (layer + 1 < kLayers) {
      next = next.cwiseMax(0.0F);
    }
  }
  // Logits become their slopes.
  float loss = 0.0F;
  auto logits = s.values[kLayers].topRows(rows);
  auto slopes = s.slopes[kLayers].topRows(rows);
  for (Index row = 0; row < rows; ++row) {
    const auto wanted = static_cast<Index>(text[positions[static_cast<std::size_t>(row)]]);
    auto slope = slopes.row(row);
    slope = (logits.row(row).array() - logits.row(row).maxCoeff()).exp();
    const float total = slope.sum();
    loss += std::log(total) - std::log(std::max(slope(wanted), 1e-30F));
    slope /= total * static_cast<float>(rows);
    slope(wanted) -= 1.0F / static_cast<float>(rows);
  }
  for (std::size_t layer = kLayers; layer-- > 0;) {
    const auto after = s.slopes[layer + 1].topRows(rows);
    const auto values = s.values[layer].topRows(rows);
    auto before = s.slopes[layer].topRows(rows);
    out.weights[layer].noalias() = values.transpose() * after;
    out.biases[layer] = after.colwise().sum();
    before.noalias() = after * views.weights[layer].transpose();
    if (layer > 0) {
      before.array() *= (values.array() > 0.0F).cast<float>();
    }
  }
  out.embedding.setZero();
  for (Index row = 0; row < rows; ++row) {
    for (std::size_t at = 0; at < kTextContext; ++at) {
      out.embedding.row(context(row, at)) +=
          s.slopes[0].row(row).segment(static_cast<Index>(at * kTextEmbedding), kTextEmbedding);
    }
  }
  return loss / static_cast<float>(rows);
}

}  // namespace godwit::bench_codec
