// godwit-auditor: compares, from outside, what every site holds with what the publishers logged.
//
//   godwit-auditor --socket A.sock --socket B.sock --log a.sums --log b.sums [--deadline 30]
//
// It subscribes at every site as a newcomer, so that each gateway hands it everything from zero,
// waits until the sums equal the logs or the deadline has passed, and prints one JSON line:
// {"identical","conservation_defect","elements_wrong","seconds"}. Exit status 0 when all is equal,
// 10 when not, 1 when it could not be found out.
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <poll.h>

#include "api/cli/usage/usage.h"
#include "api/client/client.h"
#include "bench/workloads/through/audit.h"
#include "bench/workloads/through/godwit_exchange.h"
#include "bench/workloads/through/published_sums.h"
#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/stop.h"
#include "dataplane/base/system_time.h"

namespace {

using godwit::Duration;
using godwit::Failure;
using godwit::Result;
using Sums = std::vector<std::int64_t>;

constexpr int kExitUnequal = 10;
constexpr int kLookEveryMs = 250;

struct Subscriber {
  godwit::Client client;
  godwit::Topic topic;
};

Result<Subscriber> subscribe(const std::string& socket, std::size_t elements) {
  auto client = godwit::Client::connect({.socket = socket, .name = {}});
  if (!client) {
    return Failure(client.error());
  }
  auto topic = client->declare({.name = godwit::through::kTopicName,
                                .element_count = elements,
                                .fraction_bits = godwit::through::kFractionBits});
  if (!topic) {
    return Failure(topic.error());
  }
  if (auto subscribed = topic->subscribe({.on_change = {}, .on_restart = {}, .keep_sum = true});
      !subscribed) {
    return Failure(subscribed.error());
  }
  return Subscriber{std::move(*client), std::move(*topic)};
}

Result<godwit::through::Audit> look(const std::vector<Subscriber>& subscribers,
                                    const std::vector<Sums>& published) {
  std::vector<Sums> held;
  for (const Subscriber& subscriber : subscribers) {
    held.emplace_back(published[0].size());
    if (auto copied = subscriber.topic.copy_sum(0, held.back()); !copied) {
      return Failure(copied.error());
    }
  }
  return godwit::through::audit(held, published);
}

Result<int> run(const std::vector<std::string>& sockets,
                const std::vector<std::string>& logs,
                Duration patience) {
  const std::size_t elements = godwit::trainer::kParameters;
  std::vector<Sums> published;
  for (const std::string& path : logs) {
    auto sums = godwit::through::read_sums(path, elements);
    if (!sums) {
      return Failure(sums.error());
    }
    published.push_back(std::move(*sums));
  }
  const godwit::Instant start = godwit::system_now();
  std::vector<Subscriber> subscribers;
  for (const std::string& socket : sockets) {
    auto subscriber = subscribe(socket, elements);
    if (!subscriber) {
      return Failure(subscriber.error());
    }
    subscribers.push_back(std::move(*subscriber));
  }
  for (;;) {
    const auto found = look(subscribers, published);
    if (!found) {
      return Failure(found.error());
    }
    const bool equal = found->identical && found->conservation_defect == 0;
    const Duration passed = godwit::system_now() - start;
    if (equal || passed >= patience || godwit::trainer::stop_wanted()) {
      std::cout << nlohmann::json{{"identical", found->identical},
                                  {"conservation_defect", found->conservation_defect},
                                  {"elements_wrong", found->elements_wrong},
                                  {"seconds", passed.to_seconds()}}
                       .dump()
                << std::endl;
      return equal ? 0 : kExitUnequal;
    }
    poll(nullptr, 0, kLookEveryMs);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Compares what sites hold with what publishers logged.", "godwit-auditor");
  std::vector<std::string> sockets;
  std::vector<std::string> logs;
  double seconds = 30;
  app.add_option("--socket", sockets, "client socket of a site's gateway")->required();
  app.add_option("--log", logs, "log of a publisher")->required();
  app.add_option("--deadline", seconds, "seconds to wait for equality")
      ->check(godwit::cli::number_between(0.0, 3600.0));
  CLI11_PARSE(app, argc, argv);
  godwit::trainer::stop_on_signals();
  const auto code = run(sockets, logs, Duration::seconds(seconds));
  if (!code) {
    std::fprintf(stderr, "godwit-auditor: %s\n", code.error().message.c_str());
    return 1;
  }
  return *code;
}
