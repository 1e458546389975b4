// godwit-evaluator: the accuracy of snapshots on the test set, beside the training and without
// haste.
//
// It reads lines "PATH SAMPLES" on standard input and answers each with one JSON line
// {"path","step","seconds","samples","correct"} (or {"path","error"}): SAMPLES counts from the
// first sample of the test set. Whoever starts it makes it step back behind what trains or
// transmits.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include <sched.h>

#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/snapshot.h"
#include "bench/workloads/trainer/stop.h"

namespace {

using Json = nlohmann::json;

constexpr std::size_t kBatch = 250;  // rows at once; more no longer makes it faster

// Never takes the processor from one that has just woken up. Only a hint: a refusal does not
// matter.
void step_back() {
  const sched_param none = {.sched_priority = 0};
  sched_setscheduler(0, SCHED_BATCH, &none);
}

Json evaluate(godwit::trainer::Perceptron& model,
              const godwit::trainer::Dataset& test,
              const std::string& path,
              std::size_t samples) {
  const auto snapshot = godwit::trainer::read_snapshot(path);
  if (!snapshot) {
    return {{"path", path}, {"error", snapshot.error().message}};
  }
  const std::size_t count = std::min(samples, test.size());
  return {{"path", path},
          {"step", snapshot->step},
          {"seconds", snapshot->since_start.to_seconds()},
          {"samples", count},
          {"correct", model.correct(snapshot->parameters, test, 0, count)}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : godwit::trainer::kDatasetFolder;
  godwit::trainer::stop_on_signals();
  const auto test = godwit::trainer::load_dataset(folder, godwit::trainer::Part::kTest);
  if (!test) {
    std::fprintf(stderr, "godwit-evaluator: %s\n", test.error().message.c_str());
    return 1;
  }
  const auto train = godwit::trainer::load_dataset(folder, godwit::trainer::Part::kTrain);
  if (!train) {
    std::fprintf(stderr, "godwit-evaluator: %s\n", train.error().message.c_str());
    return 1;
  }
  godwit::trainer::Perceptron model(kBatch, godwit::trainer::pixel_means(*train));
  step_back();
  std::string line;
  while (!godwit::trainer::stop_wanted() && std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string path;
    std::size_t samples = 0;
    if (!(words >> path >> samples) || samples == 0) {
      std::cout << Json{{"path", path}, {"error", "expected: PATH SAMPLES"}}.dump() << std::endl;
      continue;
    }
    std::cout << evaluate(model, *test, path, samples).dump() << std::endl;
  }
  return 0;
}
