#include "api/gateway/site_config.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kSocket = "";
constexpr std::string_view kDevice = "[port]\nkind = \"dpdk\"\ndevice = \"net_null0\"\n";

// The file of site a, whose peer is `name`.
Result<Config> parse(std::string_view own,
                     std::string_view peer,
                     std::string_view port = kSocket,
                     std::string_view name = "b") {
  return parse_config(fmt::format("version = 1\n[self]\nsite = \"a\"\n"
                                  "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                                  "[sites.a]\nendpoint = \"{}\"\n[sites.{}]\nendpoint = \"{}\"\n{}",
                                  own,
                                  name,
                                  peer,
                                  port),
                      "f.toml");
}

std::string problem(std::string_view own,
                    std::string_view peer,
                    std::string_view port = kSocket,
                    std::string_view name = "b") {
  const auto config = parse(own, peer, port, name);
  return config ? "none" : config.error().message;
}

std::string named(std::string_view name) {
  return problem("192.0.2.1:7001", "192.0.2.2:7002", kSocket, name);
}

TEST(SiteConfig, TakesNamesThatACertificateCanHave) {
  for (const std::string_view good : {"b", "7", "fra-2", "0123456789abcdef0123456789abcdef"}) {
    EXPECT_EQ(named(good), "none") << good;
  }
  for (const std::string_view bad :
       {"B", "-", "-b", "b-", "b_c", "\"b.c\"", "\"\"", "0123456789abcdef0123456789abcdefg"}) {
    EXPECT_THAT(named(bad), HasSubstr("f.toml:10:8: site \"")) << bad;
    EXPECT_THAT(named(bad),
                HasSubstr("a name has 1 to 32 of a-z, 0-9 and '-', and begins and ends with a "
                          "letter or a digit"))
        << bad;
  }
}

TEST(SiteConfig, RefusesAnEndpointThatIsNoAddress) {
  EXPECT_THAT(problem("host.example:7001", "192.0.2.2:7002"),
              HasSubstr("f.toml:9:12: [sites.a] endpoint: 'host.example:7001'"));
  EXPECT_THAT(problem("192.0.2.1", "192.0.2.2:7002"), HasSubstr("expected host:port"));
  EXPECT_THAT(problem("192.0.2.1:0", "192.0.2.2:7002"),
              HasSubstr("[sites.a] endpoint: needs a port from 1"));
}

TEST(SiteConfig, RefusesOneEndpointForTwoSitesHoweverItIsSpelt) {
  for (const std::string_view same :
       {"192.0.2.1:7001", "192.0.2.1:07001", "[::ffff:192.0.2.1]:7001"}) {
    EXPECT_EQ(problem("192.0.2.1:7001", same),
              "f.toml:11:12: [sites.b] endpoint: 192.0.2.1:7001 is that of site \"a\", too; each "
              "has its own");
  }
  EXPECT_THAT(problem("[2001:0DB8:0::0001]:7001", "[2001:db8::1]:7001"),
              HasSubstr("[2001:db8::1]:7001 is that of site \"a\", too"));
}

TEST(SiteConfig, HasOneHashForEverySpellingOfAnAddress) {
  const auto plain = parse("[2001:db8::a]:7001", "[2001:db8::1]:7002");
  const auto other = parse("[2001:db8::a]:7001", "[2001:DB8:0:0::0:1]:07002");
  ASSERT_TRUE(plain.has_value() && other.has_value());
  EXPECT_EQ(other->find_site("b")->endpoint, "[2001:db8::1]:7002");
  EXPECT_EQ(shared_hash(*plain), shared_hash(*other));
}

TEST(SiteConfig, RefusesAPeerThatIsNoOneHost) {
  for (const std::string_view everywhere : {"0.0.0.0:7002", "0.1.2.3:7002"}) {
    EXPECT_THAT(problem("192.0.2.1:7001", everywhere),
                HasSubstr("f.toml:11:12: [sites.b] endpoint: 0."));
    EXPECT_THAT(problem("192.0.2.1:7001", everywhere),
                HasSubstr("is no host's address; it may stand for the own site alone, to listen "
                          "everywhere; give the address of the one host"));
  }
  EXPECT_THAT(problem("[2001:db8::a]:7001", "[::]:7002"),
              HasSubstr("[sites.b] endpoint: :: is no host's address"));
  for (const std::string_view many : {"224.0.0.1:7002", "239.1.2.3:7002", "255.255.255.255:7002"}) {
    EXPECT_THAT(
        problem("192.0.2.1:7001", many),
        HasSubstr("is a multicast or a broadcast address; give the address of the one host"));
  }
  EXPECT_THAT(problem("[2001:db8::a]:7001", "[ff02::1]:7002"),
              HasSubstr("[sites.b] endpoint: ff02::1 is a multicast or a broadcast address"));
  EXPECT_EQ(problem("192.0.2.1:7001", "223.255.255.1:7002"), "none");
  EXPECT_EQ(problem("127.0.0.1:7001", "127.0.0.1:7002"), "none");
}

TEST(SiteConfig, TakesAnAddressThatListensEverywhereForTheOwnSite) {
  EXPECT_EQ(problem("0.0.0.0:7001", "192.0.2.2:7002"), "none");
  EXPECT_EQ(problem("[::]:7001", "[2001:db8::1]:7002"), "none");
  EXPECT_THAT(problem("224.0.0.1:7001", "192.0.2.2:7002"),
              HasSubstr("f.toml:9:12: [sites.a] endpoint: 224.0.0.1 is a multicast"));
  EXPECT_THAT(problem("0.0.0.0:7001", "192.0.2.2:7002", kDevice),
              HasSubstr("0.0.0.0 is no address for a device"));
}

TEST(SiteConfig, RefusesAPeerOfAFamilyThatTheOwnAddressCannotSendTo) {
  EXPECT_EQ(problem("192.0.2.1:7001", "[2001:db8::1]:7002"),
            "f.toml:11:12: [sites.b] endpoint: 2001:db8::1 is IPv6 and the own address, 192.0.2.1, "
            "is IPv4: no packet can pass; give all sites addresses of one family");
  EXPECT_THAT(problem("[2001:db8::1]:7001", "192.0.2.2:7002"),
              HasSubstr("192.0.2.2 is IPv4 and the own address, 2001:db8::1, is IPv6"));
  EXPECT_THAT(problem("0.0.0.0:7001", "[2001:db8::1]:7002"), HasSubstr("no packet can pass"));
  EXPECT_EQ(problem("[::]:7001", "192.0.2.2:7002"), "none") << "a socket at :: sends to both";
  EXPECT_THAT(problem("[::]:7001", "192.0.2.2:7002", kDevice), HasSubstr("no packet can pass"));
}

TEST(SiteConfig, LooksAtTheDevicesOwnAddressWhereThereIsOne) {
  const std::string device = std::string(kDevice) + "address = \"10.0.0.7\"\n";
  EXPECT_EQ(problem("192.0.2.1:7001", "192.0.2.2:7002", device), "none");
  EXPECT_THAT(problem("[2001:db8::a]:7001", "[2001:db8::1]:7002", device),
              HasSubstr("2001:db8::1 is IPv6 and the own address, 10.0.0.7, is IPv4"));
}

}  // namespace
}  // namespace godwit::gateway
