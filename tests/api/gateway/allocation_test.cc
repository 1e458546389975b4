// Proof that a warm gateway allocates nothing, whatever its data: two of them over QUIC, with a
// client each, one of which publishes.
//
//     client ══ring══▶ gateway a ──transfers, coverage, clocks──▶ gateway b ──▶ client: subscribed
//                                ◀──────────receipts─────────────
//
// Counted is operator new in a worker's turn: publishing, merging, choosing, coding, freezing,
// applying, telling how far lanes are, QUIC below, and the metrics, several times a second. The
// warm-up has more of everything.

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/gateway/gateway.h"
#include "api/gateway/metrics_feed.h"
#include "api/local/memory_channel.h"
#include "api/local/records.h"
#include "dataplane/base/random.h"
#include "dataplane/port/loop/network.h"
#include "dataplane/port/with/decorator.h"
#include "dataplane/transport/certificate.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/tls_context.h"
#include "monitoring/cells.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/sim/memory_store.h"
#include "tests/support/allocation_guard.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kElements = 2 * ledger::kTileElements;
constexpr Duration kPublishEvery = Duration::ms(20);

std::uint64_t excused_allocations = 0;

// The network in memory makes a heap buffer of every datagram.
class ExcusedPort final : public port::Decorator {
 public:
  using Decorator::Decorator;
  std::size_t receive(Instant now, std::span<port::Train> out) override {
    const testing_support::AllocationGuard guard;
    const std::size_t count = Decorator::receive(now, out);
    excused_allocations += guard.allocations();
    return count;
  }
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    const testing_support::AllocationGuard guard;
    const std::size_t count = Decorator::transmit(now, trains);
    excused_allocations += guard.allocations();
    return count;
  }
};

Config config_of_two(const std::string& site) {
  return parse_config("version = 1\n[self]\nsite = \"" + site +
                          "\"\n[tls]\nca = \"ca\"\ncert = \"cert\"\nkey = \"key\"\n"
                          "[sites.a]\nendpoint = \"127.0.0.1:7001\"\n"
                          "[sites.b]\nendpoint = \"127.0.0.1:7002\"\n",
                      "test.toml")
      .value();
}

std::int64_t test_day() {
  return 1'767'225'600;  // 2026-01-01
}

struct Node {
  Node(const std::string& site, port::LoopNetwork& network, const transport::PemPair& authority)
      : config(config_of_two(site)),
        port(std::make_unique<ExcusedPort>(
            network.open(port::Peer::parse(config.find_site(site)->endpoints.front()).value()))),
        tls(transport::TlsContext::from_pem(
                authority.certificate,
                transport::issue_site(authority, site, {.valid_from = test_day()}).value(),
                {.unix_seconds = test_day})
                .value()),
        endpoint(transport::make_quic_endpoint(*port, *tls, {}, random)) {}
  void open(Instant now) {
    gateway = Gateway::open(now,
                            config,
                            store,
                            {7, SiteId::of(config.site).value()},
                            *endpoint,
                            random,
                            [] { return Instant(); })
                  .value();
    feed = std::make_unique<MetricsFeed>(*gateway, cells, now);
    feed->set_port(*port);
    gateway->attach_client(1, link.gateway_end(), std::size_t{1} << 20U);
    say(local::Hello{.client_name = "client",
                     .publisher = PublisherId::of("client" + config.site),
                     .incarnation = {1, 1}});
    say(local::Declare{.handle = {}, .topic = "t", .element_count = kElements});
  }
  template <class Record>
  void say(const Record& record) {
    ASSERT_TRUE(local::send(link.client_end(), record));
  }
  void publish() {
    ++number;
    say(local::PublishBegin{.topic = {}, .number = number, .first = 0, .count = kElements});
    for (std::uint64_t first = 0; first < kElements; first += values.size()) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<std::int64_t>(random.below(1 << 20));
      }
      say(local::PublishData{.topic = {}, .number = number, .first = first, .fixed = values});
    }
    say(local::PublishCommit{.topic = {}, .number = number});
    say(local::Tick{.topic = {}, .clock = number});
  }
  // Takes what the gateway says, and receipts what it hands over.
  void hear() {
    while (auto view = link.client_end().receive()) {
      const auto record = local::decode_gateway_record(*view);
      ASSERT_TRUE(record);
      if (const auto* transfer = std::get_if<local::Transfer>(&*record)) {
        local::SectionReader sections(*transfer);
        while (const auto section = sections.next()) {
          values_heard += section->count;
        }
        say(local::Receipt{.topic = {}, .lane = transfer->lane, .frontier = transfer->k});
      }
    }
  }

  Config config;
  Random random{1};
  sim::MemoryStore store;
  std::unique_ptr<port::Port> port;
  std::unique_ptr<transport::TlsContext> tls;
  std::unique_ptr<transport::Endpoint> endpoint;
  local::MemoryLink link{{.to_gateway_bytes = 1 << 22}};
  std::unique_ptr<Gateway> gateway;
  monitoring::Cells cells;
  std::unique_ptr<MetricsFeed> feed;
  std::vector<std::int64_t> values = std::vector<std::int64_t>(4'096);
  std::uint64_t number = 0;
  std::uint64_t values_heard = 0;
};

TEST(GatewayAllocation, AWarmTurnAllocatesNothing) {
  Random random(1);
  port::LoopNetwork network(random);
  const auto authority = transport::make_authority("authority", {.valid_from = test_day()}).value();
  Instant now = Instant::from_ns(1'000'000'000);
  Node a("a", network, authority);
  Node b("b", network, authority);
  a.open(now);
  b.open(now);
  b.say(local::Subscribe{.topic = {}, .subscriber = SubscriberId{1}, .incarnation = {1, 1}});
  std::uint64_t allocations = 0;
  const auto run = [&](Duration time, Duration publish_every, const port::LinkConditions& link) {
    network.set_default(link);
    Instant publish_at = now;
    for (const Instant end = now + time; now < end; now = now + Duration::ms(1)) {
      if (publish_at <= now) {
        publish_at = now + publish_every;
        a.publish();
      }
      for (Node* node : {&a, &b}) {
        const std::uint64_t excused = excused_allocations;
        const testing_support::AllocationGuard guard;
        node->gateway->on_turn(now);
        node->feed->on_turn(now, Duration::zero(), {});
        allocations += guard.allocations() - (excused_allocations - excused);
      }
      a.hear();
      b.hear();
    }
  };
  const auto publish = Duration::ms(20);
  const auto far = Duration::ms(20);
  run(Duration::ms(800), publish / 2, {.delay = far});
  run(Duration::ms(800), publish, {.delay = far, .loss = 0.05});
  run(Duration::ms(400), publish, {.delay = far, .cut = true});
  run(Duration::ms(1'000), publish, {.delay = far});
  EXPECT_GT(allocations, 0U) << "the warm-up is seen";
  const PeerCounters& counters = a.gateway->core().find_peer(SiteId::of("b"))->counters;
  const std::uint64_t before = counters.transfers_sent;
  const std::uint64_t told_before = b.values_heard;
  allocations = 0;
  run(Duration::ms(1'500), publish, {.delay = Duration::ms(5)});
  EXPECT_EQ(allocations, 0U);
  EXPECT_GT(counters.transfers_sent, before + 60);
  EXPECT_GT(b.values_heard, told_before + 40 * kElements);
}

TEST(GatewayAllocation, MetricsOfEndedSessionsAndRefusedTopicsAllocateNothing) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 11));
  control::ControlMessage refusal;
  refusal.mutable_refuse()->set_topic(TopicId::of("t").value());
  refusal.mutable_refuse()->set_code(control::Refuse::CODE_RESIDENCY);
  a.control(refusal);
  b.turn(1);
  a.end(transport::CloseReason::kSilent, "");
  b.turn(1);
  ASSERT_FALSE(b.peer("a").closed_by_reason.empty());
  ASSERT_FALSE(b.peer("a").topics_refused_here.empty());
  ASSERT_FALSE(b.peer("a").topics_refused_there.empty());
  monitoring::Cells cells;
  MetricsFeed feed(*b.gateway, cells, b.now);
  feed.on_turn(b.now, Duration::zero(), {});
  const std::size_t series = cells.series_count();
  const testing_support::AllocationGuard guard;
  feed.on_turn(b.now + MetricsFeed::kPeriod, Duration::zero(), {});
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_EQ(cells.series_count(), series);
}

}  // namespace
}  // namespace godwit::gateway
