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

TEST(SiteConfig, NeedsTwoSites) {
  EXPECT_THAT(parse_config("version = 1\n[self]\nsite=\"a\"\n[sites.a]\nendpoint=\"127.0.0.1:1\"\n",
                           "f.toml")
                  .error()
                  .message,
              HasSubstr("needs 2 to 64 tables"));
}

TEST(SiteConfig, SaysOfABrokenSiteWhatIsWrongWithItAndNoMore) {
  EXPECT_EQ(problem("192.0.2.1:7001",
                    "192.0.2.2:7002",
                    "[[links]]\nends = [\"a\", \"B\"]\n[[policies]]\nmatch = \"x\"\n"
                    "allowed = [\"B\"]\n",
                    "B"),
            "f.toml:10:8: site \"B\": a name has 1 to 32 of a-z, 0-9 and '-', and begins and ends "
            "with a letter or a digit");
  EXPECT_EQ(parse_config("version = 1\n[self]\nsite = \"a\"\n"
                         "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                         "[[sites.a]]\nendpoint = \"192.0.2.1:7001\"\n"
                         "[sites.b]\nendpoint = \"192.0.2.2:7002\"\n",
                         "f.toml")
                .error()
                .message,
            "f.toml:8:9: site \"a\": must be a table, [sites.a]");
}

TEST(SiteConfig, AreAllowedASetWhateverItsOrder) {
  const auto hash = [](std::string_view sites) {
    const auto config = parse("192.0.2.1:7001",
                              "192.0.2.2:7002",
                              fmt::format("[[policies]]\nmatch = \"x\"\nallowed = {}\n", sites));
    return config ? shared_hash(*config) : 0;
  };
  EXPECT_NE(hash("[\"a\", \"b\"]"), 0U);
  EXPECT_EQ(hash("[\"a\", \"b\"]"), hash("[\"b\", \"a\"]"));
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
  EXPECT_EQ(other->find_site("b")->endpoints.front(), "[2001:db8::1]:7002");
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
              HasSubstr("[port] address: 0.0.0.0 cannot be an IPv4 address of this host"));
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

// The file of site a with several endpoints; `own` and `peer` are what stands behind the name.
Result<Config> parse_several(std::string_view own,
                             std::string_view peer,
                             std::string_view port = kSocket) {
  return parse_config(fmt::format("version = 1\n[self]\nsite = \"a\"\n"
                                  "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                                  "[sites.a]\n{}\n[sites.b]\n{}\n{}",
                                  own,
                                  peer,
                                  port),
                      "f.toml");
}

std::string problem_of_several(std::string_view own,
                               std::string_view peer,
                               std::string_view port = kSocket) {
  const auto config = parse_several(own, peer, port);
  return config ? "none" : config.error().message;
}

constexpr std::string_view kOwn = "endpoint = \"192.0.2.1:7001\"";
constexpr std::string_view kTwoEndpoints =
    "endpoints = [\"192.0.2.2:7002\", \"198.51.100.2:7002\"]";

TEST(SiteConfig, TakesSeveralEndpointsInTheirOrder) {
  const auto config = parse_several(kOwn, kTwoEndpoints);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_THAT(config->find_site("b")->endpoints,
              ::testing::ElementsAre("192.0.2.2:7002", "198.51.100.2:7002"));
  EXPECT_THAT(config->find_site("a")->endpoints, ::testing::ElementsAre("192.0.2.1:7001"));
  const auto again = parse_config(effective_config(*config), "f.toml");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->find_site("b")->endpoints, config->find_site("b")->endpoints);
  const auto turned =
      parse_several(kOwn, "endpoints = [\"198.51.100.2:7002\", \"192.0.2.2:7002\"]");
  EXPECT_NE(shared_hash(*config), shared_hash(*turned)) << "both ends must prefer the same one";
  // One in a list is one.
  EXPECT_EQ(shared_hash(*parse_several(kOwn, "endpoints = [\"192.0.2.2:7002\"]")),
            shared_hash(*parse_several(kOwn, "endpoint = \"192.0.2.2:7002\"")));
}

TEST(SiteConfig, RefusesBothNamesOfEndpointsAndNone) {
  EXPECT_EQ(
      problem_of_several(kOwn, fmt::format("endpoint = \"192.0.2.9:7002\"\n{}", kTwoEndpoints)),
      "f.toml:12:13: [sites.b] endpoints: stands beside `endpoint`; write one of them: "
      "`endpoints` when there are several, the preferred one first");
  EXPECT_THAT(problem_of_several(kOwn, ""),
              HasSubstr("f.toml:10:1: [sites.b] needs the key `endpoint`"));
}

TEST(SiteConfig, RefusesOtherNumbersOfEndpointsThanOneToFour) {
  const auto of = [](int count) {
    std::string text = "endpoints = [";
    for (int i = 1; i <= count; ++i) {
      text += fmt::format("\"192.0.2.{}:7002\",", i + 1);
    }
    return problem_of_several(kOwn, text + "]");
  };
  EXPECT_EQ(of(1), "none");
  EXPECT_EQ(of(4), "none");
  for (const int count : {0, 5}) {
    EXPECT_THAT(of(count),
                HasSubstr("f.toml:11:13: [sites.b] endpoints: needs 1 to 4 endpoints, such as "));
  }
  EXPECT_THAT(problem_of_several(kOwn, "endpoints = \"192.0.2.2:7002\""),
              HasSubstr("f.toml:11:13: [sites.b] endpoints: must be an array of strings"));
  EXPECT_THAT(problem_of_several(kOwn, "endpoints = [\"192.0.2.2:7002\", 7]"),
              HasSubstr("f.toml:11:32: [sites.b] endpoints: must be an array of strings"));
}

TEST(SiteConfig, NamesThePlaceOfTheOneEndpointOfSeveralThatIsWrong) {
  const auto with = [](std::string_view second) {
    return problem_of_several(kOwn,
                              fmt::format("endpoints = [\"192.0.2.2:7002\",\n  \"{}\"]", second));
  };
  EXPECT_THAT(with("host.example:7002"), HasSubstr("f.toml:12:3: [sites.b] endpoints: 'host."));
  EXPECT_EQ(with(""), "f.toml:12:3: [sites.b] endpoints: must not be empty");
  EXPECT_EQ(with("198.51.100.2:0"),
            "f.toml:12:3: [sites.b] endpoints: needs a port from 1 to 65535");
  EXPECT_EQ(with("192.0.2.2:07002"),
            "f.toml:12:3: [sites.b] endpoints: 192.0.2.2:7002 stands there twice");
  EXPECT_EQ(with("198.51.100.2:7003"),
            "f.toml:12:3: [sites.b] endpoints: 198.51.100.2:7003 has another port than "
            "192.0.2.2:7002; a gateway listens at one port, whatever its addresses");
  EXPECT_THAT(problem_of_several("endpoint = \"192.0.2.2:7002\"", kTwoEndpoints),
              HasSubstr("192.0.2.2:7002 is that of site \"a\", too"));
  EXPECT_THAT(with("224.0.0.1:7002"), HasSubstr("[sites.b] endpoints: 224.0.0.1 is a multicast"));
  EXPECT_THAT(with("[2001:db8::2]:7002"), HasSubstr("2001:db8::2 is IPv6 and the own address"));
}

TEST(SiteConfig, ListensEverywhereWhereTheOwnSiteHasSeveral) {
  const auto listens = [](std::string_view own) {
    return listen_endpoint(*parse_several(own, "endpoint = \"203.0.113.9:7009\"")->find_site("a"));
  };
  EXPECT_EQ(listens(kOwn), "192.0.2.1:7001");
  EXPECT_EQ(listens(kTwoEndpoints), "0.0.0.0:7002");
  EXPECT_EQ(listens("endpoints = [\"192.0.2.2:7002\", \"[2001:db8::2]:7002\"]"), "[::]:7002");
  EXPECT_THAT(problem_of_several("endpoints = [\"192.0.2.2:7002\", \"0.0.0.0:7002\"]", kOwn),
              HasSubstr("[sites.a] endpoints: 0.0.0.0 is no host's address"));
}

TEST(SiteConfig, GivesADeviceOneAddress) {
  EXPECT_EQ(
      problem_of_several(kTwoEndpoints, kOwn, kDevice),
      "f.toml:9:13: [sites.a] endpoints: a DPDK device has one address, and these are 2; give "
      "one endpoint, or the address behind all of them as [port] address");
  EXPECT_EQ(
      problem_of_several(kTwoEndpoints, kOwn, std::string(kDevice) + "address = \"10.0.0.7\"\n"),
      "none");
  EXPECT_EQ(problem_of_several(kOwn, kTwoEndpoints, kDevice), "none") << "a peer may have several";
}

}  // namespace
}  // namespace godwit::gateway
