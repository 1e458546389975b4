// godwit-updates: trains two small models and writes down what their training would send.
#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/cli/tensor/npy.h"
#include "bench/codec/adam.h"
#include "bench/codec/text_model.h"
#include "bench/workloads/trainer/model.h"
#include "dataplane/base/random.h"

namespace godwit::bench_codec {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kWarmUp = 100;      // steps before anything is written
constexpr std::size_t kStepsInAll = 400;  // of the checkpoint
constexpr std::array<std::size_t, 3> kWindows = {1, 10, 100};

// One way to train: the gradient of a step, and how parameters follow it.
struct Training {
  std::string name;
  std::vector<float> parameters;
  std::function<float(std::span<const float>, std::span<float>)> gradient;  // of a fresh batch
  std::function<void(std::span<float>, std::span<const float>)> follow;
};

std::vector<float> difference(std::span<const float> a, std::span<const float> b) {
  std::vector<float> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    result[i] = a[i] - b[i];
  }
  return result;
}

// Writes NAME_grad, NAME_d1, NAME_d10, NAME_d100, NAME_weights and NAME_weights_before (10 steps
// older).
bool train(Training& training, const std::string& folder) {
  const auto save = [&](std::string_view what, std::span<const float> values) {
    const std::string path = fmt::format("{}/{}_{}.npy", folder, training.name, what);
    const auto written = tensor::write_npy(path, values);
    if (!written) {
      fmt::print(stderr, "godwit-updates: {}\n", written.error().message);
    }
    return written.has_value();
  };
  std::vector<float> gradient(training.parameters.size());
  std::vector<float> from;
  for (std::size_t step = 0; step < kStepsInAll; ++step) {
    if (step == kWarmUp) {
      from = training.parameters;
    }
    if (step == kStepsInAll - 10 && !save("weights_before", training.parameters)) {
      return false;
    }
    const float loss = training.gradient(training.parameters, gradient);
    training.follow(training.parameters, gradient);
    if (step == kWarmUp && !save("grad", gradient)) {
      return false;
    }
    for (const std::size_t window : kWindows) {
      if (step + 1 == kWarmUp + window &&
          !save(fmt::format("d{}", window), difference(training.parameters, from))) {
        return false;
      }
    }
    if (step % 50 == 49) {
      fmt::print(
          "{:<8} step {:>4} of {}  loss {:.3f}\n", training.name, step + 1, kStepsInAll, loss);
      std::fflush(stdout);
    }
  }
  return save("weights", training.parameters);
}

// Fashion-MNIST by plain gradient descent: what the sites of the quickstart exchange.
Result<Training> images() {
  static auto data = trainer::load_dataset(trainer::kDatasetFolder, trainer::Part::kTrain);
  if (!data) {
    return Failure(data.error());
  }
  static trainer::Perceptron model(kBatch, trainer::pixel_means(*data));
  static Random random(1);
  Training training{"images", trainer::seed_parameters(1), {}, {}};
  training.gradient = [](std::span<const float> parameters, std::span<float> gradient) {
    std::vector<std::uint32_t> batch(kBatch);
    for (auto& index : batch) {
      index = static_cast<std::uint32_t>(random.below(data->size()));
    }
    return model.gradient(parameters, *data, batch, gradient);
  };
  training.follow = [](std::span<float> parameters, std::span<const float> gradient) {
    constexpr float kRate = 0.05F;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] -= kRate * gradient[i];
    }
  };
  return training;
}

// Debian's licences by Adam: nearly equal steps everywhere, as transformers make them.
Result<Training> text() {
  const auto text = load_text(kTextFolder);
  if (!text) {
    return Failure(text.error());
  }
  static const std::vector<std::uint8_t> kData(text->begin(), text->end());
  static TextModel model(kBatch);
  static Random random(2);
  Training training{"text", seed_text_parameters(1), {}, {}};
  training.gradient = [](std::span<const float> parameters, std::span<float> gradient) {
    std::vector<std::uint32_t> batch(kBatch);
    for (auto& position : batch) {
      position =
          static_cast<std::uint32_t>(kTextContext + random.below(kData.size() - kTextContext));
    }
    return model.gradient(parameters, kData, batch, gradient);
  };
  training.follow = [adam = Adam(kTextParameters, 1e-3F)](std::span<float> parameters,
                                                          std::span<const float> gradient) mutable {
    adam.follow(parameters, gradient);
  };
  return training;
}

int main_of(int argc, char** argv) {
  CLI::App app(
      "Trains a perceptron on Fashion-MNIST and a character model on Debian's licences, some\n"
      "seconds each, and writes what training would send as NumPy files of float32: NAME_grad,\n"
      "NAME_d1, NAME_d10 and NAME_d100 (a gradient, and changes over so many steps),\n"
      "NAME_weights and NAME_weights_before (ten steps older).",
      "godwit-updates");
  std::string folder;
  app.add_option("FOLDER", folder, "where to write; must exist")
      ->required()
      ->check(CLI::ExistingDirectory);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const auto& make : {images, text}) {
    auto training = make();
    if (!training) {
      fmt::print(stderr, "godwit-updates: {}\n", training.error().message);
      return 3;
    }
    if (!train(*training, folder)) {
      return 3;
    }
  }
  return 0;
}

}  // namespace
}  // namespace godwit::bench_codec

int main(int argc, char** argv) {
  return godwit::bench_codec::main_of(argc, argv);
}
