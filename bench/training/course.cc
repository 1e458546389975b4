#include "bench/training/course.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/training/lane.h"
#include "bench/training/momentum.h"
#include "codec/kernels.h"

namespace godwit::bench_training {
namespace {

// The sites' lanes, and what each does with its change before it publishes it.
class Exchange {
 public:
  Exchange(const Course& course, std::size_t elements)
      : course_(course),
        bytes_max_(static_cast<std::size_t>(course.bits * static_cast<double>(elements) / 8)),
        sums_(elements) {
    for (std::size_t site = 0; site < course.sites; ++site) {
      lanes_.emplace_back(elements);
      if (course.outer.is_published) {
        momenta_.emplace_back(elements, course.outer.rate, course.outer.momentum);
      }
    }
  }

  // False when the change cannot be published.
  bool send(std::size_t site, std::span<float> change) {
    if (course_.outer.is_published) {
      momenta_[site].turn(change);
    }
    Lane& lane = lanes_[site];
    if (!lane.publish(change)) {
      return false;
    }
    const std::size_t others = course_.sites - 1;
    if (course_.bits >= kUncoded) {
      lane.send_uncoded(sums_);
      bytes_ += others * change.size() * sizeof(float);
      return true;
    }
    bytes_ += others * lane.send(bytes_max_, sums_);
    if (!course_.outer.keeps_rest) {
      lane.drop();
    }
    return true;
  }

  // What has arrived since the last time, a mean over the sites.
  void take(std::span<float> mean) {
    codec::to_float(sums_, codec_bench::kTopicFractionBits, mean);
    for (float& value : mean) {
      value /= static_cast<float>(course_.sites);
    }
    std::fill(sums_.begin(), sums_.end(), 0);
  }

  void describe(Round& round) const {
    double open = 0;
    double changed = 0;
    for (const Lane& lane : lanes_) {
      open += lane.open_energy();
      changed += lane.change_energy();
      round.defect += lane.defect();
    }
    round.open_share = changed > 0 ? std::sqrt(open / changed) : 0;
    round.bytes = bytes_;
  }

 private:
  const Course& course_;
  std::size_t bytes_max_;
  std::vector<std::int64_t> sums_;
  std::vector<Lane> lanes_;
  std::vector<Momentum> momenta_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

void run(Task& task, const Course& course, const std::function<void(const Round&)>& tell) {
  std::vector<float> parameters = task.begin(course.seed, course.outer.inside);
  std::vector<float> change(parameters.size());
  Exchange exchange(course, parameters.size());
  const bool is_turned_here = !course.outer.is_published;
  Momentum momentum(parameters.size(),
                    is_turned_here ? course.outer.rate : 1,
                    is_turned_here ? course.outer.momentum : 0);
  for (std::size_t number = 1; number <= course.rounds; ++number) {
    Round round{.number = number};
    for (std::size_t site = 0; site < course.sites && !round.has_diverged; ++site) {
      change = parameters;
      task.train(site, course.steps, change);
      for (std::size_t i = 0; i < change.size(); ++i) {
        change[i] -= parameters[i];
      }
      round.has_diverged = !exchange.send(site, change);
    }
    if (!round.has_diverged) {
      exchange.take(change);
      momentum.turn(change);
      for (std::size_t i = 0; i < change.size(); ++i) {
        parameters[i] += change[i];
      }
    }
    exchange.describe(round);
    round.score = task.score(parameters);
    tell(round);
    if (round.has_diverged) {
      return;
    }
  }
}

}  // namespace godwit::bench_training
