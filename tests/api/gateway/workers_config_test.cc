// How many workers and connections a configuration may ask for.
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/config.h"
#include "api/gateway/port_config.h"

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

Result<Config> workers(std::string_view count,
                       std::string_view connections,
                       std::string_view port = "7001",
                       std::string_view other = "192.0.2.2:7002") {
  return parse_config(fmt::format("version = 1\n[self]\nsite = \"a\"\nworkers = {}\n"
                                  "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                                  "[sites.a]\nendpoint = \"192.0.2.1:{}\"\n"
                                  "[sites.b]\nendpoint = \"{}\"\n"
                                  "[[links]]\nends = [\"a\", \"b\"]\nconnections = {}\n",
                                  count,
                                  port,
                                  other,
                                  connections),
                      "f.toml");
}

std::string refusal(std::string_view count,
                    std::string_view connections,
                    std::string_view port = "7001") {
  const auto config = workers(count, connections, port);
  return config ? "none" : config.error().message;
}

TEST(WorkersConfig, TakesPowersOfTwoAndAtLeastAsManyConnections) {
  for (const auto& [count, connections] :
       {std::pair("1", "1"), std::pair("1", "64"), std::pair("4", "4"), std::pair("64", "64")}) {
    EXPECT_EQ(refusal(count, connections), "none") << count << " " << connections;
  }
  EXPECT_EQ(workers("2", "4")->workers, 2U);
  EXPECT_EQ(workers("2", "4")->links[0].connections, 4U);
  EXPECT_EQ(workers("2", "4")->memory_each(), Bytes::mib(512));
}

TEST(WorkersConfig, RefusesOtherNumbers) {
  EXPECT_THAT(refusal("6", "8"), HasSubstr("f.toml:4:11: [self] workers: must be a power of two"));
  EXPECT_THAT(refusal("3", "1"), testing::Not(HasSubstr("connections = 3")));
  EXPECT_THAT(refusal("1", "3"), HasSubstr("connections: must be a power of two from 1 to 64"));
  EXPECT_THAT(refusal("1", "128"), HasSubstr("[[links]] connections: must be"));
  EXPECT_THAT(refusal("0", "1"), HasSubstr("[self] workers: must be"));
  EXPECT_THAT(refusal("4", "2"),
              HasSubstr("f.toml:4:11: [self] workers: is 4, and each needs a connection of its own "
                        "to b: give the link "
                        "[[links]] connections = 4 or more, not 2"));
}

TEST(WorkersConfig, GivesEachWorkerThePortAfterTheOneBefore) {
  const auto config = workers("4", "4");
  const std::string& endpoint = config->find_site("a")->endpoints.front();
  for (std::uint32_t worker = 0; worker < 4; ++worker) {
    EXPECT_EQ(port_options(config->port, endpoint, worker, 4)->local.udp_port(), 7001 + worker);
  }
  EXPECT_TRUE(port_options(config->port, "192.0.2.1:65532", 3, 4).has_value());
  EXPECT_THAT(port_options(config->port, "192.0.2.1:65533", 0, 4).error().message,
              HasSubstr("4 workers need as many ports from this one on"));
}

TEST(WorkersConfig, RefusesAnEndpointWithTooFewPortsBehindItWhateverThePort) {
  EXPECT_EQ(refusal("4", "4", "65532"), "none");
  EXPECT_EQ(refusal("1", "1", "65535"), "none");
  EXPECT_EQ(refusal("4", "4", "65533"),
            "f.toml:10:12: [sites.a] endpoint: 192.0.2.1:65533: 4 workers need as many ports from "
            "this one on, and the last port is 65535");
}

TEST(WorkersConfig, RefusesAnotherSiteOnThePortOfAWorker) {
  for (const auto& [other, taken] : {std::pair("192.0.2.1:7000", false),
                                     std::pair("192.0.2.1:7002", true),
                                     std::pair("192.0.2.1:7004", true),
                                     std::pair("192.0.2.1:7005", false),
                                     std::pair("192.0.2.2:7002", false)}) {
    const auto config = workers("4", "4", "7001", other);
    EXPECT_EQ(config.has_value(), !taken) << other;
  }
  EXPECT_EQ(workers("4", "4", "7001", "192.0.2.1:7004").error().message,
            "f.toml:12:12: [sites.b] endpoint: 192.0.2.1:7004: the 4 workers of a take this port; "
            "give one that is not among the 4 from 192.0.2.1:7001 on");
}

TEST(WorkersConfig, RefusesASocketOfAWorkerThatCannotBe) {
  const auto said = [](std::string_view self) {
    const auto config =
        parse_config(fmt::format("version = 1\n[self]\nsite = \"a\"\nworkers = 2\n{}\n"
                                 "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                                 "[sites.a]\nendpoint = \"192.0.2.1:7001\"\n"
                                 "[sites.b]\nendpoint = \"192.0.2.2:7001\"\n"
                                 "[[links]]\nends = [\"a\", \"b\"]\nconnections = 2\n",
                                 self),
                     "f.toml");
    return config ? "none" : config.error().message;
  };
  EXPECT_EQ(said("client = \"/run/s\"\nadmin = \"/run/s.2\""), "none");
  EXPECT_EQ(said("client = \"/run/s\"\nadmin = \"/run/s.1\""),
            "f.toml:6:9: [self] admin: is the path of `client` of worker 1, too; each socket has "
            "its own");
  const std::string path = "/" + std::string(104, 's');
  EXPECT_EQ(said("client = \"" + path + "\""), "none");
  EXPECT_THAT(said("client = \"" + path + "s\""),
              HasSubstr("s.1\" has 108 bytes; a socket's path has at most 107"));
}

TEST(WorkersConfig, ReadsBackAsItIsWritten) {
  const auto config = workers("2", "8");
  const auto again = parse_config(effective_config(*config), "f.toml");
  EXPECT_EQ(again->workers, 2U);
  EXPECT_EQ(again->links[0].connections, 8U);
  EXPECT_NE(shared_hash(*config), shared_hash(*workers("2", "4"))) << "both sites must agree";
  EXPECT_EQ(shared_hash(*config), shared_hash(*workers("1", "8"))) << "each site's own affair";
}

}  // namespace
}  // namespace godwit::gateway
