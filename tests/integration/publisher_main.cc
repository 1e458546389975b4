// A publisher that may be killed at any instant: it logs each publish before it makes it and, when
// started again under the same name and log, repeats what may not have been safe.
//
//   --socket PATH --name NAME --log FILE --topic NAME --elements N [--values N] [--every-ms N]
//   [--shards N]
//
// Publishes until SIGTERM, then waits until everything is safe. Exit: 0 all safe, 1 no gateway or
// no answer, 3 a publish was refused.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <deque>
#include <string>
#include <thread>

#include "api/client/client.h"
#include "dataplane/base/random.h"
#include "tests/integration/arguments.h"
#include "tests/integration/publish_log.h"

namespace godwit::integration {
namespace {

// Publishes on the way at once.
constexpr std::size_t kDepth = 4;
// Repeated after a restart: those on the way, and one that was logged and waited for its turn.
constexpr std::size_t kRepeated = kDepth + 1;
constexpr std::uint32_t kFractionBits = 40;
constexpr int kExitRefused = 3;
constexpr Duration kPatience = Duration::seconds(120);

volatile std::sig_atomic_t stop = 0;

class Publisher {
 public:
  Publisher(const Arguments& arguments, Topic& topic)
      : topic_(topic),
        log_(arguments.text("--log")),
        random_(std::hash<std::string>{}(arguments.text("--name"))),
        values_max_(arguments.number("--values", 3000)),
        every_(arguments.number("--every-ms", 20)) {}

  int run() {
    const auto& before = log_.before();
    std::uint64_t step = before.empty() ? 0 : before.back().step;
    for (std::size_t i = before.size() - std::min(kRepeated, before.size()); i < before.size();
         ++i) {
      publish(before[i]);
    }
    for (std::uint64_t i = 0; i < step; ++i) {
      random_.next();  // another life draws other values
    }
    while (stop == 0 && code_ == 0) {
      const LoggedPublish next = draw(++step);
      if (!log_.append(next)) {
        return 1;
      }
      publish(next);
      std::this_thread::sleep_for(std::chrono::milliseconds(every_));
    }
    settle(0);
    return code_;
  }

 private:
  LoggedPublish draw(std::uint64_t step) {
    const std::uint64_t count = 1 + random_.below(values_max_);
    LoggedPublish out{step, random_.below(topic_.element_count() - count + 1), {}};
    // Powers spread over 22 bits, so that some coded bits are always left open for later.
    const auto bits = static_cast<std::uint32_t>(1 + random_.below(22));
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto size = static_cast<std::int64_t>(random_.below(std::uint64_t{1} << bits));
      out.values.push_back(random_.chance(0.5) ? size : -size);
    }
    return out;
  }

  void publish(const LoggedPublish& entry) {
    settle(kDepth - 1);
    // Every second one as floating point, which holds these integers exactly.
    std::vector<float> floats(entry.values.size());
    std::transform(entry.values.begin(), entry.values.end(), floats.begin(), [](std::int64_t v) {
      return std::ldexp(static_cast<float>(v), -static_cast<int>(kFractionBits));
    });
    const PublishOptions options{.first = entry.first, .step = entry.step, .deadline = kPatience};
    const auto ticket = entry.step % 2 == 0 ? topic_.publish(floats, options)
                                            : topic_.publish_fixed(entry.values, options);
    if (!ticket) {
      std::fprintf(stderr, "publish: %s\n", ticket.error().message.c_str());
      code_ = 1;
      return;
    }
    tickets_.push_back(*ticket);
  }

  // Waits until at most `left` publishes are not known to be safe.
  void settle(std::size_t left) {
    while (tickets_.size() > left && code_ == 0) {
      const Outcome outcome = tickets_.front().wait(Level::kSafe, kPatience);
      if (outcome == Outcome::kRefused) {
        std::fprintf(stderr, "refused: %s\n", tickets_.front().detail().c_str());
        code_ = kExitRefused;
      } else if (outcome == Outcome::kTimeout || outcome == Outcome::kClosed) {
        std::fprintf(stderr, "not safe: %s\n", to_string(outcome).data());
        code_ = 1;
      }
      tickets_.pop_front();
    }
  }

  Topic& topic_;
  PublishLog log_;
  Random random_;
  std::uint64_t values_max_;
  std::uint64_t every_;
  std::deque<Ticket> tickets_;
  int code_ = 0;
};

int run(const Arguments& arguments) {
  auto client = Client::connect({.socket = arguments.text("--socket"),
                                 .name = arguments.text("--name"),
                                 .deadline = kPatience});
  if (!client) {
    std::fprintf(stderr, "connect: %s\n", client.error().message.c_str());
    return 1;
  }
  auto topic =
      client->declare({.name = arguments.text("--topic"),
                       .element_count = arguments.number("--elements", 0),
                       .fraction_bits = kFractionBits,
                       .shards = static_cast<std::uint32_t>(arguments.number("--shards", 0))},
                      kPatience);
  if (!topic) {
    std::fprintf(stderr, "declare: %s\n", topic.error().message.c_str());
    return 1;
  }
  const int code = Publisher(arguments, *topic).run();
  client->close(kPatience);
  return code;
}

}  // namespace
}  // namespace godwit::integration

int main(int count, char** words) {
  std::signal(SIGTERM, [](int) { godwit::integration::stop = 1; });
  return godwit::integration::run({count, words});
}
