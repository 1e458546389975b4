// One real gateway in memory: its peers are a ScriptedEndpoint, its client speaks local records.
//
//   OneGateway b("b");                       // of the sites a, b, c
//   b.declare("t", 10);                      // by its client
//   ScriptedSession& a = b.greeted("a");     // a session whose Hellos are exchanged
//   a.control(message); b.turn();            // what then arrives, and what the gateway does
//
// Thread: one. Time: the fixture's own, a few milliseconds a turn.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/gateway/gateway.h"
#include "api/gateway/link_caps.h"
#include "api/gateway/links.h"
#include "api/local/memory_channel.h"
#include "api/local/records.h"
#include "dataplane/base/assert.h"
#include "tests/api/gateway/scripted_endpoint.h"
#include "tests/sim/memory_store.h"

namespace godwit::gateway {

// As a close carries it.
inline std::uint64_t code(SessionCode session_code) {
  return static_cast<std::uint64_t>(session_code);
}

inline Config config_of(const std::string& site, const std::string& policies = "") {
  const std::string text =
      "version = 1\n[self]\nsite = \"" + site +
      "\"\n[tls]\nca = \"ca\"\ncert = \"cert\"\nkey = \"key\"\n"
      "[sites.a]\nendpoint = \"127.0.0.1:7001\"\n[sites.b]\nendpoint = \"127.0.0.1:7002\"\n"
      "[sites.c]\nendpoint = \"127.0.0.1:7003\"\n" +
      policies;
  auto config = parse_config(text, "test.toml");
  GODWIT_ASSERT(config.has_value(), "the fixture's configuration is good");
  return *config;
}

class OneGateway {
 public:
  static constexpr std::uint64_t kClient = 1;
  static constexpr std::size_t kRingBytes = std::size_t{1} << 20U;

  explicit OneGateway(const std::string& site,
                      const std::string& policies = "",
                      std::uint32_t workers = 1,
                      std::uint32_t worker = 0)
      : config(config_of(site, policies)),
        incarnation{7, SiteId::of(site).value()},
        worker_(worker) {
    config.workers = workers;
    open();
  }

  // Starts the gateway, again on the same state when it ran before.
  void open() {
    gateway.reset();
    endpoint.lose_all();
    caps = std::make_unique<LinkCaps>(config);
    const WorkerPlace place{.index = worker_, .caps = caps.get()};
    auto opened = Gateway::open(
        now, config, store, incarnation, endpoint, random_, [] { return Instant(); }, place);
    GODWIT_ASSERT(opened.has_value(), "the gateway opens");
    gateway = std::move(*opened);
    link_ = std::make_unique<local::MemoryLink>();
    gateway->attach_client(kClient, link_->gateway_end(), kRingBytes);
    say(local::Hello{
        .client_name = "client", .publisher = PublisherId::of("client"), .incarnation = {1, 1}});
    turn();
  }

  void turn(int times = 8) {
    for (int i = 0; i < times; ++i) {
      now = now + Duration::ms(3);
      gateway->on_turn(now);
    }
  }

  // --- as its client ---
  template <class Record>
  void say(const Record& record) {
    const bool sent = local::send(link_->client_end(), record);
    GODWIT_ASSERT(sent, "the ring has room");
  }
  // The handle is the number of topics declared before; the answer is kept in `declared`.
  local::TopicHandle declare(const std::string& topic,
                             std::uint64_t elements,
                             std::vector<std::string> allowed = {},
                             double tolerance = 0) {
    return declare(local::Declare{.topic = topic,
                                  .element_count = elements,
                                  .tolerance = tolerance,
                                  .allowed_sites = std::move(allowed)});
  }
  local::TopicHandle declare(local::Declare declaration) {
    const auto handle = static_cast<local::TopicHandle>(handles_++);
    declaration.handle = handle;
    say(declaration);
    turn(1);
    while (auto view = link_->client_end().receive()) {
      auto record = local::decode_gateway_record(*view);
      if (record && std::holds_alternative<local::Declared>(*record)) {
        declared = std::get<local::Declared>(*record);
      }
    }
    return handle;
  }
  void publish(local::TopicHandle handle,
               std::uint64_t first,
               const std::vector<std::int64_t>& values,
               Duration deadline = Duration::zero()) {
    ++number_;
    say(local::PublishBegin{.topic = handle,
                            .number = number_,
                            .first = first,
                            .count = values.size(),
                            .deadline = deadline});
    say(local::PublishData{.topic = handle, .number = number_, .first = first, .fixed = values});
    say(local::PublishCommit{.topic = handle, .number = number_});
    turn(1);
  }

  // --- as its peers ---
  // An established session to the site, however it comes about.
  ScriptedSession& established(const std::string& site) {
    ScriptedSession* session = nullptr;
    if (config.site < site) {
      for (int i = 0; i < 400 && session == nullptr; ++i) {
        turn(1);
        ScriptedSession* last = endpoint.dialled(site);
        session = last != nullptr && !last->retired ? last : nullptr;
      }
      GODWIT_ASSERT(session != nullptr, "the gateway dials");
    } else {
      session = &endpoint.accept();
    }
    session->establish(site);
    turn(1);
    return *session;
  }
  static control::ControlMessage hello(const std::string& site) {
    control::ControlMessage message;
    auto* hello = message.mutable_hello();
    hello->set_version_min(1);
    hello->set_version_max(1);
    hello->set_site(site);
    hello->set_gateway_id(site + "-1");
    hello->set_incarnation(peer_incarnation().packed());
    return message;
  }
  static Incarnation peer_incarnation() { return {3, 33}; }
  ScriptedSession& greeted(const std::string& site) {
    ScriptedSession& session = established(site);
    session.control(hello(site));
    turn(1);
    return session;
  }
  static control::ControlMessage announcement(const std::string& topic, std::uint64_t elements) {
    control::ControlMessage message;
    auto* announce = message.mutable_topic_announce();
    announce->set_topic(TopicId::of(topic).value());
    announce->set_name(topic);
    announce->set_elements(elements);
    announce->set_fraction_bits(40);
    announce->set_shards(1);
    announce->set_incarnation(peer_incarnation().packed());
    return message;
  }
  // The peer takes our lane: it has every transfer up to `frontier`.
  control::ControlMessage lane_accept(const std::string& topic, std::uint64_t frontier = 0) const {
    control::ControlMessage message;
    auto* accept = message.mutable_lane_accept();
    accept->set_topic(TopicId::of(topic).value());
    accept->set_from_incarnation(life(topic).packed());
    accept->set_to_incarnation(peer_incarnation().packed());
    accept->set_frontier(frontier);
    return message;
  }
  control::ControlMessage lane_open(const std::string& topic) const {
    control::ControlMessage message;
    auto* open = message.mutable_lane_open();
    open->set_topic(TopicId::of(topic).value());
    open->set_from_incarnation(peer_incarnation().packed());
    open->set_to_incarnation(life(topic).packed());
    open->set_next_k(1);
    return message;
  }

  // The incarnation of a topic's state; zero where the topic is not known.
  Incarnation life(const std::string& name) const {
    const Topic* known = gateway->core().find_topic(TopicId::of(name));
    return known != nullptr ? known->ledger().incarnation() : Incarnation{};
  }
  Topic& topic(const std::string& name) { return *gateway->core().find_topic(TopicId::of(name)); }
  bool knows(const std::string& name) {
    return gateway->core().find_topic(TopicId::of(name)) != nullptr;
  }
  // P + R of the whole topic.
  std::vector<std::int64_t> sum(const std::string& name) {
    Topic& one = topic(name);
    std::vector<std::int64_t> all;
    std::vector<std::int64_t> tile(ledger::kTileElements);
    for (std::uint32_t i = 0; i < one.ledger().shape().tile_count(); ++i) {
      one.ledger().read_sum(i, tile);
      all.insert(all.end(), tile.begin(), tile.end());
    }
    all.resize(one.spec().element_count());
    return all;
  }
  const Peer& peer(const std::string& site) { return *gateway->core().find_peer(SiteId::of(site)); }

  Config config;
  Incarnation incarnation;
  sim::MemoryStore store;
  ScriptedEndpoint endpoint;
  std::unique_ptr<LinkCaps> caps;
  Instant now = Instant::from_ns(1'000'000'000);
  std::unique_ptr<Gateway> gateway;
  local::Declared declared;  // the last answer to declare()

 private:
  std::uint32_t worker_;
  Random random_{1};
  std::unique_ptr<local::MemoryLink> link_;
  std::uint32_t handles_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace godwit::gateway
