// What operators see of a port of our own: its link, and the frames that it refused.
#include <array>
#include <map>

#include <gtest/gtest.h>

#include "api/gateway/metrics_feed.h"
#include "api/gateway/report.h"
#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/ip/memory_device.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using monitoring::Metric;

// The gateway's port, and a neighbour who speaks to it.
class PortSeen : public ::testing::Test {
 protected:
  void SetUp() override { reporter_.set_port(*own_); }

  static std::unique_ptr<port::IpPort> open(std::unique_ptr<port::Device> device, const char* own) {
    return port::IpPort::make(std::move(device),
                              {.v4 = port::ip::Subnet::parse(own).value(), .udp_port = 7443})
        .value();
  }

  void receive(port::IpPort& at) {
    std::array<port::Train, 8> out{};
    at.release(std::span(out).first(at.receive(gateway_.now, out)));
  }

  void send_to_a_wrong_port() {
    std::array<std::byte, 10> bytes{};
    const port::Train train{
        .peer = port::Peer::v4({10, 9, 0, 1}, 9), .segment_bytes = 10, .bytes = bytes};
    neighbour_->transmit(gateway_.now, {&train, 1});
    receive(*own_);        // a question
    receive(*neighbour_);  // its answer
    receive(*own_);        // the datagram
  }

  // All series of the port's metrics: {metric and label: value}.
  std::map<std::string, double> metrics() {
    monitoring::Cells cells;
    MetricsFeed feed(*gateway_.gateway, cells, gateway_.now);
    feed.set_port(*own_);
    feed.on_turn(gateway_.now, Duration::zero(), {});
    std::map<std::string, double> found;
    cells.visit([&found](const monitoring::Cells::Series& series) {
      if (series.metric == Metric::kPortNeighbourTroubles) {
        found["neighbour " + series.labels.at(0)] = std::bit_cast<double>(series.cells->load());
      } else if (series.metric == Metric::kPortRefused) {
        found[series.labels.at(0)] = static_cast<double>(series.cells->load());
      } else if (series.metric == Metric::kPortLinkUp) {
        found["link_up"] = std::bit_cast<double>(series.cells->load());
      } else if (series.metric == Metric::kPortLinkDowns) {
        found["link_downs"] = static_cast<double>(series.cells->load());
      } else if (series.metric == Metric::kPortTroubles) {
        found["trouble " + series.labels.at(0)] = static_cast<double>(series.cells->load());
      }
    });
    return found;
  }

  admin::AdminResponse ask(const admin::AdminRequest& request) {
    admin::AdminResponse response;
    response.ParseFromString(reporter_.answer(gateway_.now, as_bytes(request.SerializeAsString())));
    return response;
  }
  admin::StatusReport status() {
    admin::AdminRequest request;
    request.mutable_status();
    return ask(request).status();
  }

  OneGateway gateway_{"b"};
  Random random_{1};
  port::MemoryWire wire_{{}, random_};
  std::unique_ptr<port::IpPort> own_ = open(wire_.open(0), "10.9.0.1/24");
  std::unique_ptr<port::IpPort> neighbour_ = open(wire_.open(1), "10.9.0.2/24");
  Reporter reporter_{*gateway_.gateway, gateway_.now};
};

TEST_F(PortSeen, CountsRefusedFramesByReason) {
  EXPECT_EQ(metrics().at("wrong_port"), 0);
  send_to_a_wrong_port();
  const auto after = metrics();
  EXPECT_EQ(after.at("wrong_port"), 1);
  EXPECT_EQ(after.at("bad_checksum"), 0);
  EXPECT_EQ(after.size(), port::ip::kRefusals + 2 + 2 + 7)
      << "every reason, the link, neighbours, troubles";
}

TEST_F(PortSeen, ShowsTheLinkInMetricsAndHowOftenItWentAway) {
  receive(*own_);
  EXPECT_EQ(metrics().at("link_up"), 1);
  EXPECT_EQ(metrics().at("link_downs"), 0);
  wire_.set_link(false);
  gateway_.now = gateway_.now + Duration::ms(100);
  receive(*own_);
  EXPECT_EQ(metrics().at("link_up"), 0);
  wire_.set_link(true);
  gateway_.now = gateway_.now + Duration::ms(100);
  receive(*own_);
  EXPECT_EQ(metrics().at("link_up"), 1);
  EXPECT_EQ(metrics().at("link_downs"), 1);
  EXPECT_EQ(status().port().link_downs(), 1U);
}

TEST_F(PortSeen, ANeighbourWithAnotherMacIsCounted) {
  std::array<std::byte, 10> bytes{};
  const port::Train train{
      .peer = port::Peer::v4({10, 9, 0, 2}, 9), .segment_bytes = 10, .bytes = bytes};
  own_->transmit(gateway_.now, {&train, 1});
  receive(*neighbour_);
  receive(*own_);
  neighbour_.reset();
  auto other_wire = wire_.open(1);
  const port::Mac forger = {0x02, 0, 0, 0, 0, 0x66};
  std::array<port::Frame, 1> frame{};
  ASSERT_EQ(other_wire->reserve(frame), 1U);
  gateway_.now = gateway_.now + Duration::ms(1'000);
  const port::ip::Arp claim{.operation = port::ip::kArpReply,
                            .sender_mac = forger,
                            .sender = {10, 9, 0, 2},
                            .target = {10, 9, 0, 1}};
  const port::ip::Ethernet header{
      .to = port::ip::kBroadcastMac, .from = forger, .type = port::ip::kTypeArp};
  const auto rest = port::ip::store(port::ip::store(frame[0].bytes, header), claim);
  frame[0].bytes = frame[0].bytes.first(frame[0].bytes.size() - rest.size());
  ASSERT_EQ(other_wire->transmit(gateway_.now, frame), 1U);
  receive(*own_);
  EXPECT_EQ(metrics().at("trouble neighbour_changed"), 1);
  EXPECT_EQ(status().port().neighbours_changed(), 1U);
}

TEST_F(PortSeen, ANeighbourThatIsSilentIsAProblem) {
  std::array<std::byte, 10> bytes{};
  const port::Train train{
      .peer = port::Peer::v4({10, 9, 0, 77}, 9), .segment_bytes = 10, .bytes = bytes};
  own_->transmit(gateway_.now, {&train, 1});
  EXPECT_EQ(status().port().silent_neighbours_size(), 0) << "it was asked just now";
  for (int second = 0; second < 3; ++second) {
    gateway_.now = gateway_.now + Duration::ms(1'000);
    receive(*own_);
  }
  const admin::StatusReport report = status();
  EXPECT_EQ(report.problems(0).reason(), "port.neighbour_silent");
  EXPECT_EQ(report.problems(0).subject(), "10.9.0.77");
  EXPECT_EQ(report.problems(0).since_ns(), 3'000'000'000U);
  EXPECT_EQ(report.port().kind(), "memory");
  EXPECT_EQ(report.port().local_address(), "10.9.0.1:7443");
  EXPECT_TRUE(report.port().link_up());
  EXPECT_EQ(report.port().refusals_size(), static_cast<int>(port::ip::kRefusals));
  EXPECT_EQ(report.port().silent_neighbours_size(), 1);
  EXPECT_EQ(metrics().at("neighbour silent"), 1);
  EXPECT_EQ(metrics().at("trouble neighbour_given_up"), 1);
  EXPECT_EQ(report.port().neighbours_given_up(), 1U);
  wire_.set_link(false);
  EXPECT_EQ(status().problems(0).reason(), "port.link_down") << "then nobody can answer";
  EXPECT_NE(status().problems(1).reason(), "port.neighbour_silent");
}

TEST_F(PortSeen, AHostThatUsesTheAddressIsAProblem) {
  neighbour_.reset();
  neighbour_ = open(wire_.open(1), "10.9.0.1/24");
  receive(*neighbour_);  // it announces itself
  receive(*own_);
  gateway_.now = gateway_.now + Duration::ms(1'000);
  const admin::StatusReport report = status();
  EXPECT_EQ(report.problems(0).reason(), "port.address_conflict");
  EXPECT_EQ(report.problems(0).subject(), "10.9.0.1");
  ASSERT_EQ(report.port().address_conflicts_size(), 1);
  EXPECT_EQ(report.port().address_conflicts(0).mac(), "02:00:00:00:00:02");
  EXPECT_EQ(report.port().address_conflicts(0).seen_ns(), 1'000'000'000U);
  EXPECT_EQ(metrics().at("neighbour conflict"), 1);
}

TEST_F(PortSeen, ADeadLinkIsAProblemAndTheReasonOfEveryPeersSilence) {
  const auto problems = [&] {
    std::vector<std::string> reasons;
    const admin::StatusReport report = status();
    for (const auto& problem : report.problems()) {
      reasons.push_back(problem.reason());
    }
    return reasons;
  };
  EXPECT_EQ(problems(), (std::vector<std::string>{"link.down", "link.down"}));
  wire_.set_link(false);
  EXPECT_EQ(problems(), (std::vector<std::string>{"port.link_down", "link.down", "link.down"}));
  admin::AdminRequest request;
  request.mutable_links();
  const auto response = ask(request);
  EXPECT_EQ(response.links().links_size(), 2);
  for (const auto& link : response.links().links()) {
    EXPECT_EQ(link.reason(), "port.link_down");
  }
}

}  // namespace
}  // namespace godwit::gateway
