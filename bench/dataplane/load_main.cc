// godwit-load: keeps the link between two gateways full with changes of one sharded topic.
//
//     godwit-load --from SOCKET --to SOCKET --shards 4
//
// Declares the topic at both, says "ready" in a line, and publishes at the first one, all elements
// every 50 ms, until its standard input ends. Of elements that go on changing a gateway sends two
// bits an update (scheduler/policy/depth_planner.h): 36.7 Mbit/s in all. Changes merge while they
// wait, so a link that carries less is full.
//
// exit: 0 done, 1 a gateway refused or was not there, 2 usage
#include <array>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <poll.h>
#include <unistd.h>

#include "api/client/client.h"
#include "dataplane/base/random.h"

namespace godwit::bench {
namespace {

constexpr std::uint64_t kElements = 28 * 32'768;
constexpr std::size_t kStock = 8;  // changes made before the first is published, used in turn
constexpr int kEveryMs = 50;
constexpr Duration kPatience = Duration::seconds(10);

// As gradients are: most elements small, some large, either sign.
std::vector<float> change(Random& random) {
  std::vector<float> out(kElements);
  for (float& value : out) {
    const auto uniform = [&] { return static_cast<float>(random.below(2'000'001)) * 1e-6F - 1.0F; };
    value = uniform() * uniform() * uniform();
  }
  return out;
}

Result<void> load(const std::string& from, const std::string& to, std::uint32_t shards) {
  const TopicOptions options{.name = "bench/load", .element_count = kElements, .shards = shards};
  auto there = Client::connect({.socket = to, .name = "load"});
  auto here = Client::connect({.socket = from, .name = "load"});
  if (!there || !here) {
    return Failure(there ? here.error() : there.error());
  }
  const auto held = there->declare(options);
  auto topic = here->declare(options);
  if (!held || !topic) {
    return Failure(held ? topic.error() : held.error());
  }
  Random random(1);
  std::array<std::vector<float>, kStock> stock;
  for (auto& values : stock) {
    values = change(random);
  }
  std::puts("ready");
  std::fflush(stdout);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  for (std::size_t turn = 0; ::poll(&input, 1, kEveryMs) == 0; ++turn) {
    const auto ticket = topic->publish(stock.at(turn % kStock), {.deadline = kPatience});
    if (!ticket) {
      return Failure(ticket.error());
    }
  }
  return {};
}

int main_of(int argc, char** argv) {
  CLI::App app("Keeps the link between two gateways full");
  std::string from;
  std::string to;
  std::uint32_t shards = 1;
  app.add_option("--from", from, "The clients' socket of the gateway where is published")
      ->required();
  app.add_option("--to", to, "That of the gateway where it arrives")->required();
  app.add_option("--shards", shards, "Of the topic; a power of two")->check(CLI::Range(1, 8));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto done = load(from, to, shards);
  if (!done) {
    std::fprintf(stderr, "godwit-load: %s\n", done.error().message.c_str());
  }
  return done ? 0 : 1;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  return godwit::bench::main_of(argc, argv);
}
