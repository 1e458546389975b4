// What is trained: a model, data at several sites, and each site's own optimiser.
//
// Thread: one owner. Memory: the data, and what the optimisers keep, for each site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::bench_training {

struct Size {
  std::size_t sites = 4;
  std::size_t batch = 32;     // samples of a site's step
  std::size_t judged = 5000;  // samples of the score, at most
};

class Task {
 public:
  virtual ~Task() = default;

  // What score() is: "accuracy", where more is better, or "loss", where less is.
  virtual std::string_view measure() const = 0;

  // Begins anew; equal seeds train on equal batches. `momentum` is that of the sites' own
  // optimisers, where they have none anyway. Returns the parameters from which all sites start.
  virtual std::vector<float> begin(std::uint64_t seed, float momentum) = 0;

  // Makes so many steps of a site's own optimiser, on the site's own data.
  virtual void train(std::size_t site, std::size_t steps, std::span<float> parameters) = 0;

  // On data that no site trains with.
  virtual double score(std::span<const float> parameters) = 0;
};

// The perceptron of the main job on Fashion-MNIST by plain gradient descent; four fifths of a label
// are at one site.
Result<std::unique_ptr<Task>> images(const Size& size);

// The character model on Debian's licences by Adam, whose state each site keeps between rounds; a
// site has one stretch of the text. Of every ten kilobytes one is for the score: in nats a byte.
Result<std::unique_ptr<Task>> text(const Size& size);

}  // namespace godwit::bench_training
