// A local client that breaks the rules on purpose, one way per run.
//
//   KIND --socket PATH [--topic NAME --elements N --seed N]
//
// Prints what the gateway did: "closed TEXT" (an Error record with its reason), "gone" (the socket
// ended), "ignored" (neither within two seconds).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/local/connect.h"
#include "api/local/records.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/random.h"
#include "tests/integration/arguments.h"

namespace godwit::integration {
namespace {

using local::TopicHandle;

constexpr int kLooks = 200;
constexpr auto kLookEvery = std::chrono::milliseconds(10);

class Hostile {
 public:
  explicit Hostile(const Arguments& arguments)
      : arguments_(arguments), random_(arguments.number("--seed", 1)) {
    channel_ = open();
  }

  const std::map<std::string, std::function<void()>>& kinds() const { return kinds_; }

  std::string outcome() {
    for (int i = 0; i < kLooks; ++i) {
      while (auto view = channel_->receive()) {
        const auto record = local::decode_gateway_record(*view);
        if (record && std::holds_alternative<local::ErrorRecord>(*record)) {
          return "closed " + std::get<local::ErrorRecord>(*record).text;
        }
      }
      if (!channel_->clear_doorbell()) {
        return "gone";
      }
      std::this_thread::sleep_for(kLookEvery);
    }
    return "ignored";
  }

 private:
  std::unique_ptr<local::SocketChannel> open() const {
    auto channel = local::connect(arguments_.text("--socket"), Duration::seconds(10));
    if (!channel) {
      std::fprintf(stderr, "%s\n", channel.error().message.c_str());
      std::exit(1);
    }
    return std::move(*channel);
  }

  template <class Record>
  void say(const Record& record) {
    static_cast<void>(local::send(*channel_, record));
  }
  void hello() { hello(*channel_); }
  void hello(local::Channel& channel) const {
    static_cast<void>(local::send(channel,
                                  local::Hello{.client_name = "hostile",
                                               .publisher = PublisherId::of("hostile"),
                                               .incarnation = {1, 1}}));
  }
  local::Declare declaration(const std::string& suffix = "") const {
    return {.handle = TopicHandle{0},
            .topic = arguments_.text("--topic") + suffix,
            .element_count = arguments_.number("--elements", 0)};
  }
  static local::Subscribe subscription() {
    return {.topic = TopicHandle{0}, .subscriber = SubscriberId(1), .incarnation = {1, 1}};
  }
  void greet() {
    hello();
    say(declaration());
  }

  void noise() {
    hello();
    for (int i = 0; i < 200; ++i) {
      std::vector<std::byte> body(random_.below(400));
      for (auto& byte : body) {
        byte = static_cast<std::byte>(random_.below(256));
      }
      static_cast<void>(channel_->send(static_cast<std::uint16_t>(1 + random_.below(80)), body));
    }
  }
  void other_topic_on_same_handle() {
    greet();
    say(local::PublishBegin{.topic = TopicHandle{0}, .number = 1, .first = 0, .count = 2});
    say(declaration("/other"));
    say(local::PublishCommit{.topic = TopicHandle{0}, .number = 1});
  }
  void data_out_of_order() {
    greet();
    const std::vector<std::int64_t> values(3, 1);
    say(local::PublishBegin{.topic = TopicHandle{0}, .number = 1, .first = 0, .count = 3});
    say(local::PublishData{.topic = TopicHandle{0}, .number = 1, .first = 2, .fixed = values});
    say(local::PublishCommit{.topic = TopicHandle{0}, .number = 1});
  }
  // Two connections that claim to be one process: whoever comes second is refused.
  void same_subscriber_twice() {
    auto first = open();
    hello(*first);
    static_cast<void>(local::send(*first, declaration()));
    static_cast<void>(local::send(*first, subscription()));
    std::this_thread::sleep_for(10 * kLookEvery);
    greet();
    say(subscription());
    std::this_thread::sleep_for(10 * kLookEvery);
    first.reset();
    say(local::Receipt{.topic = TopicHandle{0}, .lane = 0, .frontier = 0});
  }
  void newer_subscriber_over_older() {
    greet();
    say(subscription());
    std::this_thread::sleep_for(10 * kLookEvery);
    auto second = open();
    hello(*second);
    static_cast<void>(local::send(*second, declaration()));
    auto newer = subscription();
    newer.incarnation = {2, 2};
    static_cast<void>(local::send(*second, newer));
    std::this_thread::sleep_for(10 * kLookEvery);
    say(subscription());  // the first one subscribes again
  }
  // Half of a publish, then gone.
  void early_exit() {
    greet();
    const std::vector<std::int64_t> values(2, 1);
    say(local::PublishBegin{.topic = TopicHandle{0}, .number = 1, .first = 0, .count = 4});
    say(local::PublishData{.topic = TopicHandle{0}, .number = 1, .first = 0, .fixed = values});
    std::_Exit(0);
  }
  void greedy_waits() {
    greet();
    for (std::uint64_t i = 0; i < 5000; ++i) {
      say(local::WaitClock{.topic = TopicHandle{0},
                           .request = i,
                           .min_clock = 1'000'000,
                           .deadline = Duration::seconds(60)});
    }
  }
  void values_beyond_the_range() {
    greet();
    const std::vector<std::int64_t> values{std::int64_t{1} << 62, 1};
    say(local::PublishBegin{.topic = TopicHandle{0}, .number = 1, .first = 0, .count = 2});
    say(local::PublishData{.topic = TopicHandle{0}, .number = 1, .first = 0, .fixed = values});
    say(local::PublishCommit{.topic = TopicHandle{0}, .number = 1});
  }

  const Arguments& arguments_;
  Random random_;
  std::unique_ptr<local::SocketChannel> channel_;
  const std::map<std::string, std::function<void()>> kinds_{
      {"noise", [this] { noise(); }},
      {"no-hello", [this] { say(declaration()); }},
      {"hello-twice", [this] { hello(), hello(); }},
      {"undeclared-handle",
       [this] { hello(), say(local::Tick{.topic = TopicHandle{9}, .clock = 1}); }},
      {"data-without-begin",
       [this] { greet(), say(local::PublishCommit{.topic = TopicHandle{0}, .number = 1}); }},
      {"other-topic", [this] { other_topic_on_same_handle(); }},
      {"data-out-of-order", [this] { data_out_of_order(); }},
      {"subscribe-twice", [this] { greet(), say(subscription()), say(subscription()); }},
      {"same-subscriber", [this] { same_subscriber_twice(); }},
      {"newer-subscriber", [this] { newer_subscriber_over_older(); }},
      {"receipt-beyond",
       [this] {
         greet(), say(subscription());
         say(local::Receipt{.topic = TopicHandle{0}, .lane = 0, .frontier = 1'000'000});
       }},
      {"early-exit", [this] { early_exit(); }},
      {"greedy-waits", [this] { greedy_waits(); }},
      {"out-of-range", [this] { values_beyond_the_range(); }},
      {"future-clock",
       [this] { greet(), say(local::Tick{.topic = TopicHandle{0}, .clock = ~0ULL}); }},
      {"silent", [] {}},
  };
};

int run(const std::string& kind, const Arguments& arguments) {
  Hostile hostile(arguments);
  if (kind == "kinds") {
    for (const auto& [name, act] : hostile.kinds()) {
      std::printf("%s ", name.c_str());
    }
    std::printf("\n");
    return 0;
  }
  const auto at = hostile.kinds().find(kind);
  if (at == hostile.kinds().end()) {
    return 2;
  }
  at->second();
  std::printf("%s\n", hostile.outcome().c_str());
  return 0;
}

}  // namespace
}  // namespace godwit::integration

int main(int count, char** words) {
  return count < 2 ? 2 : godwit::integration::run(words[1], {count - 1, words + 1});
}
