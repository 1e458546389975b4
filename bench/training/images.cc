#include <algorithm>
#include <utility>

#include "bench/training/task.h"
#include "bench/workloads/trainer/dataset.h"
#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/split.h"
#include "dataplane/base/random.h"

namespace godwit::bench_training {
namespace {

constexpr float kRate = 0.05F;
constexpr double kSkew = 0.8;               // as the main job
constexpr std::size_t kJudgedAtOnce = 250;  // chosen: they fit the cache

class Images final : public Task {
 public:
  Images(const Size& size, trainer::Dataset train, trainer::Dataset test)
      : size_(size),
        train_(std::move(train)),
        test_(std::move(test)),
        model_(std::max(size.batch, kJudgedAtOnce), trainer::pixel_means(train_)),
        gradient_(trainer::kParameters) {}

  std::string_view measure() const override { return "accuracy"; }

  std::vector<float> begin(std::uint64_t seed, float momentum) override {
    momentum_ = momentum;
    const auto split = trainer::split_by_label(train_.labels, size_.sites, kSkew, seed);
    sites_.clear();
    for (std::size_t site = 0; site < size_.sites; ++site) {
      sites_.push_back({split[site],
                        Random(seed * trainer::kSitesMax + site),
                        std::vector<float>(trainer::kParameters)});
    }
    return trainer::seed_parameters(seed);
  }

  void train(std::size_t site, std::size_t steps, std::span<float> parameters) override {
    auto& [samples, random, velocity] = sites_[site];
    std::vector<std::uint32_t> batch(size_.batch);
    for (std::size_t step = 0; step < steps; ++step) {
      for (auto& index : batch) {
        index = samples[random.below(samples.size())];
      }
      model_.gradient(parameters, train_, batch, gradient_);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        velocity[i] = momentum_ * velocity[i] + gradient_[i];
        parameters[i] -= kRate * velocity[i];
      }
    }
  }

  double score(std::span<const float> parameters) override {
    const std::size_t judged = std::min(size_.judged, test_.size());
    return static_cast<double>(model_.correct(parameters, test_, 0, judged)) /
           static_cast<double>(judged);
  }

 private:
  struct Site {
    std::vector<std::uint32_t> samples;
    Random random;
    std::vector<float> velocity;
  };

  Size size_;
  trainer::Dataset train_;
  trainer::Dataset test_;
  trainer::Perceptron model_;
  std::vector<float> gradient_;
  float momentum_ = 0;
  std::vector<Site> sites_;
};

}  // namespace

Result<std::unique_ptr<Task>> images(const Size& size) {
  auto train = trainer::load_dataset(trainer::kDatasetFolder, trainer::Part::kTrain);
  if (!train) {
    return Failure(train.error());
  }
  auto test = trainer::load_dataset(trainer::kDatasetFolder, trainer::Part::kTest);
  if (!test) {
    return Failure(test.error());
  }
  return std::make_unique<Images>(size, std::move(*train), std::move(*test));
}

}  // namespace godwit::bench_training
