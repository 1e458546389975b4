// godwit-training: trains two small models over several sites, through the codec at several
// budgets.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/training/course.h"
#include "bench/training/lane.h"
#include "bench/training/task.h"

namespace godwit::bench_training {
namespace {

using Make = Result<std::unique_ptr<Task>> (*)(const Size&);
const std::map<std::string, Make> kModels = {{"images", images}, {"text", text}};
constexpr std::size_t kSitesMax = 11;  // as the main job

struct Arguments {
  std::vector<std::string> models;
  std::vector<std::string> outers;
  std::vector<double> bits = {0.05, 0.2, 0.5, 1, kUncoded};
  bool is_quick = false;
  Size size;
  Course course;
};

// What has no meaning is left out: nothing is open that could be thrown away, and Adam has momentum
// anyway.
bool has_meaning(const std::string& model, const Course& course) {
  return (course.outer.keeps_rest || course.bits < kUncoded) &&
         (course.outer.inside == 0 || model == "images");
}

void print(const std::string& model, const Task& task, const Course& course, const Round& round) {
  nlohmann::ordered_json line{{"model", model},
                              {"outer", course.outer.name},
                              {"bits", course.bits},
                              {"seed", course.seed},
                              {"round", round.number},
                              {"bytes", round.bytes},
                              {task.measure(), round.score},
                              {"open_share", round.open_share},
                              {"defect", round.defect}};
  if (round.has_diverged) {
    line["diverged"] = true;
  }
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);  // a program reads along
}

// Every course of a way to make steps, by its budget.
void train(const std::string& model, Task& task, const Outer& outer, const Arguments& arguments) {
  for (const double bits : arguments.bits) {
    Course course = arguments.course;
    course.outer = outer;
    course.bits = bits;
    if (has_meaning(model, course)) {
      run(task, course, [&](const Round& round) { print(model, task, course, round); });
    }
  }
}

// 0 when all is well, else the exit status.
int train(const Arguments& arguments) {
  for (const std::string& model : arguments.models) {
    const auto task = kModels.at(model)(arguments.size);
    if (!task) {
      fmt::print(stderr, "godwit-training: {}\n", task.error().message);
      return 3;
    }
    for (const Outer& outer : kOuters) {
      if (std::find(arguments.outers.begin(), arguments.outers.end(), outer.name) !=
          arguments.outers.end()) {
        train(model, **task, outer, arguments);
      }
    }
  }
  return 0;
}

std::string footer() {
  std::string text = "Ways to make a step of all sites of their changes:\n";
  for (const Outer& outer : kOuters) {
    text += fmt::format("  {:<10} {}\n", outer.name, outer.what);
  }
  return text;
}

int main_of(int argc, char** argv) {
  CLI::App app(
      "Trains a perceptron on Fashion-MNIST and a character model on Debian's licences over\n"
      "several sites. What a site has changed in a round goes through the codec at a budget;\n"
      "what does not fit stays open and goes with a later round. Prints a JSON line a round:\n"
      "bytes sent so far, accuracy or loss, what is open beside what changed, and the defect\n"
      "of the lanes' books, which is 0.",
      "godwit-training");
  Arguments arguments;
  for (const auto& [name, make] : kModels) {
    arguments.models.push_back(name);
  }
  for (const Outer& outer : kOuters) {
    arguments.outers.emplace_back(outer.name);
  }
  const CLI::IsMember models(arguments.models);
  const CLI::IsMember outers(arguments.outers);
  app.footer(footer());
  app.add_option("--model", arguments.models, "images or text; default: both")
      ->delimiter(',')
      ->check(models);
  app.add_option("--outer", arguments.outers, "default: all of those below")
      ->delimiter(',')
      ->check(outers);
  app.add_option("--bits", arguments.bits, "for each parameter of a site's change; 32: uncoded")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(0.001, kUncoded));
  app.add_option("--sites", arguments.course.sites, "how many")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{2}, kSitesMax));
  app.add_option("--rounds", arguments.course.rounds, "how many")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, kPublishesMax));
  app.add_option("--steps", arguments.course.steps, "of each site in a round")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--seed", arguments.course.seed, "of parameters, split and batches")
      ->capture_default_str();
  app.add_flag("--quick", arguments.is_quick, "tiny batches: whether it works, in seconds");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (arguments.is_quick) {
    arguments.size.batch = 4;
    arguments.size.judged = 64;
  }
  arguments.size.sites = arguments.course.sites;
  return train(arguments);
}

}  // namespace
}  // namespace godwit::bench_training

int main(int argc, char** argv) {
  return godwit::bench_training::main_of(argc, argv);
}
