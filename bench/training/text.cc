#include <algorithm>
#include <string>

#include "bench/codec/adam.h"
#include "bench/codec/text_model.h"
#include "bench/training/task.h"
#include "dataplane/base/random.h"

namespace godwit::bench_training {
namespace {

using bench_codec::kTextContext;
using bench_codec::kTextParameters;

constexpr float kAdamRate = 1e-3F;
constexpr std::size_t kStretch = 1024;  // of the text: nine to train with, one for the score
constexpr std::size_t kStretches = 10;
constexpr std::size_t kBytesAtOnce = 256;  // chosen: they fit the cache

class Text final : public Task {
 public:
  Text(const Size& size, const std::string& text)
      : size_(size),
        text_(text.begin(), text.end()),
        model_(std::max(size.batch, kBytesAtOnce)),
        gradient_(kTextParameters),
        positions_(size.sites) {
    std::vector<std::uint32_t> held_out;
    for (std::size_t at = kTextContext; at < text_.size(); ++at) {
      const bool is_judged = at / kStretch % kStretches == kStretches - 1;
      auto& home = is_judged ? held_out : positions_[at * size.sites / text_.size()];
      home.push_back(static_cast<std::uint32_t>(at));
    }
    // Spread over all of them.
    const std::size_t judged = std::min(size.judged, held_out.size());
    for (std::size_t i = 0; i < judged; ++i) {
      judged_.push_back(held_out[i * held_out.size() / judged]);
    }
  }

  std::string_view measure() const override { return "loss"; }

  std::vector<float> begin(std::uint64_t seed, float /*momentum*/) override {
    sites_.clear();
    for (std::size_t site = 0; site < size_.sites; ++site) {
      sites_.push_back(
          {Random(seed * size_.sites + site), bench_codec::Adam(kTextParameters, kAdamRate)});
    }
    return bench_codec::seed_text_parameters(seed);
  }

  void train(std::size_t site, std::size_t steps, std::span<float> parameters) override {
    const auto& positions = positions_[site];
    std::vector<std::uint32_t> batch(size_.batch);
    for (std::size_t step = 0; step < steps; ++step) {
      for (auto& position : batch) {
        position = positions[sites_[site].random.below(positions.size())];
      }
      model_.gradient(parameters, text_, batch, gradient_);
      sites_[site].adam.follow(parameters, gradient_);
    }
  }

  double score(std::span<const float> parameters) override {
    double loss = 0;
    for (std::size_t done = 0; done < judged_.size();) {
      const std::size_t count = std::min(kBytesAtOnce, judged_.size() - done);
      const float mean =
          model_.gradient(parameters, text_, std::span(judged_).subspan(done, count), gradient_);
      loss += static_cast<double>(mean) * static_cast<double>(count);
      done += count;
    }
    return loss / static_cast<double>(judged_.size());
  }

 private:
  struct Site {
    Random random;
    bench_codec::Adam adam;
  };

  Size size_;
  std::vector<std::uint8_t> text_;
  bench_codec::TextModel model_;
  std::vector<float> gradient_;
  std::vector<std::vector<std::uint32_t>> positions_;  // by site
  std::vector<std::uint32_t> judged_;
  std::vector<Site> sites_;
};

}  // namespace

Result<std::unique_ptr<Task>> text(const Size& size) {
  const auto text = bench_codec::load_text(bench_codec::kTextFolder);
  if (!text) {
    return Failure(text.error());
  }
  return std::make_unique<Text>(size, *text);
}

}  // namespace godwit::bench_training
