// A subscriber that compares its sums, integer by integer, with the publishers' logs.
//
//   --socket PATH --name NAME --topic NAME --elements N [--shards N]
//
// Reads questions from standard input, one a line, and answers each with one line:
//   check SECONDS LOG...   waits until the sum equals the logs': "equal HASH", else
//                          "different ELEMENT GOT WANTED COUNT"
//   next SECONDS           waits for the next change: "at NANOSECONDS" (CLOCK_MONOTONIC) or "none"
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "api/client/client.h"
#include "dataplane/base/ids.h"
#include "tests/integration/arguments.h"
#include "tests/integration/publish_log.h"

namespace godwit::integration {
namespace {

using Clock = std::chrono::steady_clock;

struct Arrivals {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::int64_t> last_ns{0};
};

class Auditor {
 public:
  Auditor(Topic& topic, Arrivals& arrivals) : topic_(topic), arrivals_(arrivals) {}

  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string question;
    double seconds = 0;
    words >> question >> seconds;
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    if (question == "next") {
      return next(deadline);
    }
    std::vector<std::int64_t> wanted(topic_.element_count());
    for (std::string log; words >> log;) {
      add_log(log, wanted);
    }
    return check(wanted, deadline);
  }

 private:
  template <class Deadline>
  std::string next(Deadline deadline) {
    const std::uint64_t before = arrivals_.count;
    while (arrivals_.count == before) {
      if (Clock::now() >= deadline) {
        return "none";
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return fmt::format("at {}", arrivals_.last_ns.load());
  }

  template <class Deadline>
  std::string check(const std::vector<std::int64_t>& wanted, Deadline deadline) {
    std::vector<std::int64_t> sum(wanted.size());
    for (;;) {
      if (auto copied = topic_.copy_sum(0, sum); !copied) {
        return copied.error().message;
      }
      if (sum == wanted) {
        const auto bytes = std::as_bytes(std::span(sum));
        const std::string_view text(
            static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size());
        return fmt::format("equal {:016x}", fnv1a(text));
      }
      if (Clock::now() >= deadline) {
        return difference(sum, wanted);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  static std::string difference(const std::vector<std::int64_t>& sum,
                                const std::vector<std::int64_t>& wanted) {
    std::size_t first = sum.size();
    std::size_t count = 0;
    for (std::size_t i = sum.size(); i-- > 0;) {
      if (sum[i] != wanted[i]) {
        first = i;
        ++count;
      }
    }
    return fmt::format("different {} {} {} {}", first, sum[first], wanted[first], count);
  }

  Topic& topic_;
  Arrivals& arrivals_;
};

int run(const Arguments& arguments) {
  const Duration patience = Duration::seconds(60);
  auto client = Client::connect({.socket = arguments.text("--socket"),
                                 .name = arguments.text("--name"),
                                 .deadline = patience});
  if (!client) {
    std::fprintf(stderr, "connect: %s\n", client.error().message.c_str());
    return 1;
  }
  auto topic =
      client->declare({.name = arguments.text("--topic"),
                       .element_count = arguments.number("--elements", 0),
                       .shards = static_cast<std::uint32_t>(arguments.number("--shards", 0))},
                      patience);
  Arrivals arrivals;
  const auto on_change = [&](const View&) {
    arrivals.last_ns = Clock::now().time_since_epoch().count();
    ++arrivals.count;
  };
  if (!topic || !topic->subscribe({.on_change = on_change, .keep_sum = true})) {
    std::fprintf(stderr, "the topic cannot be opened\n");
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  Auditor auditor(*topic, arrivals);
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", auditor.answer(line).c_str());
    std::fflush(stdout);
  }
  client->close(Duration::seconds(5));
  return 0;
}

}  // namespace
}  // namespace godwit::integration

int main(int count, char** words) {
  return godwit::integration::run({count, words});
}
