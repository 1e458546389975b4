// A client of its own at a OneGateway, which speaks records instead of using the client library.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {

// A client of its own on the topic "t"; what it says waits in its ring for the gateway's turns.
struct RawClient {
  static constexpr std::uint64_t kElements = 4;
  static constexpr local::TopicHandle kTopic{};
  using Answers = std::vector<std::string>;

  struct Options {
    std::size_t to_client_bytes = std::size_t{1} << 20U;  // of the ring that it reads
    std::optional<Incarnation> replaces = {};
    std::optional<local::Unanswered> unanswered = {};
    std::uint64_t elements = kElements;
  };

  RawClient(OneGateway& gateway,
            std::uint64_t connection,
            const std::string& name,
            Incarnation life,
            const Options& options)
      : b(gateway), id(connection), link({.to_client_bytes = options.to_client_bytes}) {
    b.gateway->attach_client(id, link.gateway_end(), options.to_client_bytes);
    say(local::Hello{.client_name = name,
                     .publisher = name.empty() ? PublisherId(id) : PublisherId::of(name),
                     .incarnation = life});
    say(local::Declare{.handle = kTopic,
                       .topic = "t",
                       .element_count = options.elements,
                       .replaces = options.replaces,
                       .unanswered = options.unanswered});
  }
  RawClient(OneGateway& gateway,
            std::uint64_t connection,
            const std::string& name,
            Incarnation life)
      : RawClient(gateway, connection, name, life, Options{}) {}
  template <class Record>
  void say(const Record& record) {
    ASSERT_TRUE(local::send(link.client_end(), record));
  }
  void publish(std::uint64_t number, std::uint64_t step = 0, std::uint64_t first = 0) {
    const std::vector<std::int64_t> values = {1};
    local::PublishBegin begin{.topic = kTopic, .number = number, .first = first, .count = 1};
    if (step != 0) {
      begin.step = step;
    }
    say(begin);
    say(local::PublishData{.topic = kTopic, .number = number, .first = first, .fixed = values});
    say(local::PublishCommit{.topic = kTopic, .number = number});
  }
  // Beyond the end of the topic.
  void publish_outside(std::uint64_t number) { publish(number, 0, kElements); }
  void leave() {
    say(local::Goodbye{});
    b.turn();
    b.gateway->detach_client(id);
    b.turn();
  }
  // The answer to its Declare; what was answered before it is lost.
  local::Declared declared() {
    while (auto view = link.client_end().receive()) {
      const auto record = local::decode_gateway_record(*view);
      if (record && std::holds_alternative<local::Declared>(*record)) {
        return std::get<local::Declared>(*record);
      }
    }
    ADD_FAILURE() << "no Declared";
    return {};
  }
  // What it was answered since it last looked, in the answers' order: "safe 1", "refused 2".
  Answers answers() {
    Answers all;
    while (auto view = link.client_end().receive()) {
      const auto record = local::decode_gateway_record(*view);
      EXPECT_TRUE(record);
      if (const auto* safe = std::get_if<local::Safe>(&*record)) {
        all.push_back(fmt::format("safe {}", safe->number));
      } else if (const auto* refused = std::get_if<local::Refused>(&*record)) {
        all.push_back(fmt::format(
            "{} {}", refused->code == Code::kNotFound ? "unknown" : "refused", refused->number));
      } else if (const auto* duplicate = std::get_if<local::Duplicate>(&*record)) {
        all.push_back(fmt::format("duplicate {}", duplicate->number));
      }
    }
    return all;
  }

  OneGateway& b;
  std::uint64_t id;
  local::MemoryLink link;
};

// So many clients that all subscribe to "t". They must end before the gateway, or the gateway
// first.
inline std::list<RawClient> subscribers(OneGateway& b, std::uint64_t count) {
  constexpr std::uint64_t kFirst = 2;
  std::list<RawClient> clients;
  for (std::uint64_t id = kFirst; id < kFirst + count; ++id) {
    clients.emplace_back(b, id, "", Incarnation{1, 1})
        .say(local::Subscribe{.topic = RawClient::kTopic, .incarnation = {1, 1}});
    b.turn();
    EXPECT_FALSE(clients.back().link.gateway_end().broken()) << id;
  }
  return clients;
}

}  // namespace godwit::gateway
