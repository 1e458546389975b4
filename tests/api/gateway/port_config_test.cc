// What of [port] must fit its network is said when the file is read, with the place and the key.
#include "api/gateway/port_config.h"

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/config.h"

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

// The table stands in line 4, its kind and device in the next two, `lines` from line 7 on.
std::string port_refusal(std::string_view lines,
                         std::string_view endpoint = "192.0.2.1:7001",
                         std::string_view kind = "dpdk") {
  const bool is_v6 = endpoint.starts_with('[');
  const std::string text = fmt::format(
      "version = 1\n[self]\nsite = \"a\"\n"
      "[port]\nkind = \"{}\"\ndevice = \"net_null0\"\n{}\n"
      "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
      "[sites.a]\nendpoint = \"{}\"\n[sites.b]\nendpoint = \"{}:7002\"\n",
      kind,
      lines,
      endpoint,
      is_v6 ? "[2001:db8::9]" : "192.0.2.9");
  const auto config = parse_config(text, "f.toml");
  return config ? "none" : config.error().message;
}

TEST(PortConfig, FitsItsNetwork) {
  EXPECT_EQ(port_refusal("prefix = 28\ngateway = \"192.0.2.14\""), "none");
  EXPECT_EQ(port_refusal("prefix = 31", "192.0.2.0:7001"), "none") << "RFC 3021";
  EXPECT_EQ(port_refusal("gateway = \"fe80::1\"", "[2001:db8::1]:7001"), "none");
}

TEST(PortConfig, RefusesAnAddressThatNoHostHas) {
  EXPECT_THAT(port_refusal("prefix = 40"),
              HasSubstr("f.toml:7:10: [port] prefix: 40 is over the 32 bits of IPv4"));
  EXPECT_THAT(port_refusal("address = \"127.0.0.1\""),
              HasSubstr("f.toml:7:11: [port] address: 127.0.0.1 cannot be an IPv4 address of this "
                        "host; give that of one host"));
  for (const char* edge : {"10.0.0.0", "10.0.0.255"}) {
    EXPECT_THAT(port_refusal("address = \"" + std::string(edge) + "\""),
                HasSubstr("f.toml:7:11: [port] address: " + std::string(edge) +
                          " cannot be an IPv4 address of a host: with a prefix of 24 bits"));
  }
  EXPECT_THAT(port_refusal("vlan = 7", "192.0.2.255:7001"),
              HasSubstr("f.toml:4:1: [port] address: 192.0.2.255 cannot be"))
      << "the endpoint's, so the place is the table";
}

TEST(PortConfig, RefusesAGatewayThatIsNotReached) {
  for (const char* gateway : {"192.0.2.17", "192.0.2.1", "192.0.2.15", "10.0.0.1"}) {
    EXPECT_THAT(
        port_refusal("prefix = 28\ngateway = \"" + std::string(gateway) + "\""),
        HasSubstr("f.toml:8:11: [port] gateway: the gateway " + std::string(gateway) +
                  " is no other host in the network of 192.0.2.1 with its prefix of 28 bits"));
  }
  EXPECT_THAT(
      port_refusal("gateway = \"fe80::1\""),
      HasSubstr(
          "f.toml:7:11: [port] gateway: fe80::1 is not of the kind of the own address, 192.0.2.1"));
}

TEST(PortConfig, RefusesANeighbourThatIsNoHost) {
  EXPECT_THAT(port_refusal("neighbours = [\"224.0.0.1 02:77:00:00:00:01\"]"),
              HasSubstr("f.toml:7:14: [port] neighbours: 224.0.0.1 cannot be a static neighbour"));
}

TEST(PortConfig, RefusesNeighboursThatContradict) {
  EXPECT_THAT(port_refusal("neighbours = [\"fe80::7 02:77:00:00:00:01\"]"),
              HasSubstr("f.toml:7:14: [port] neighbours: fe80::7 is not of the kind of the own "
                        "address, 192.0.2.1"));
  EXPECT_THAT(port_refusal("neighbours = [\"192.0.2.9 02:77:00:00:00:01\", "
                           "\"192.0.2.9 02:77:00:00:00:02\"]"),
              HasSubstr("[port] neighbours: 192.0.2.9 stands there twice"));
}

// The device's network is checked before somebody starts with --port dpdk.
TEST(PortConfig, ChecksWhatOnlyAnotherKindUses) {
  EXPECT_EQ(port_refusal("prefix = 28\ngateway = \"192.0.2.14\"", "192.0.2.1:7001", "uring"),
            "none");
  EXPECT_THAT(port_refusal("prefix = 33", "192.0.2.1:7001", "uring"),
              HasSubstr("f.toml:7:10: [port] prefix: 33 is over the 32 bits of IPv4"));
  EXPECT_THAT(port_refusal("gateway = \"::1\"", "192.0.2.1:7001", "epoll"),
              HasSubstr("f.toml:7:11: [port] gateway: ::1 is not of the kind of"));
  EXPECT_EQ(port_refusal("", "0.0.0.0:7001", "uring"), "none") << "listens everywhere";
}

TEST(PortConfig, RefusesACaptureWithoutAPath) {
  EXPECT_THAT(port_refusal("capture = \"\"", "192.0.2.1:7001", "uring"),
              HasSubstr("f.toml:7:11: [port] capture: must not be empty; leave the key out"));
}

TEST(PortConfig, TakesTheNetworkOfTheAddressFamily) {
  PortConfig config;
  config.kind = "dpdk";
  config.device = "net_null0";
  EXPECT_EQ(port_options(config, "192.0.2.1:7001")->ip.v4->prefix_bits, 24U);
  EXPECT_EQ(port_options(config, "[2001:db8::1]:7002")->ip.v6->prefix_bits, 64U);
  config.address = "10.0.0.7";  // behind a translator, the endpoint is somebody else's
  EXPECT_EQ(port_options(config, "192.0.2.1:7001")->ip.v4->address.format(), "10.0.0.7");
  config.device = "";
  EXPECT_FALSE(port_options(config, "192.0.2.1:7001").has_value());
}

}  // namespace
}  // namespace godwit::gateway
