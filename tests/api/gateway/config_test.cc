#include "api/gateway/config.h"

#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/port_config.h"
#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGood = R"(version = 1
[self]
site = "a"
[tls]
ca = "ca.pem"
cert = "{site}.pem"
key = "{site}.key"
[sites.a]
endpoint = "192.0.2.1:7001"
[sites.b]
endpoint = "192.0.2.2:7002"
[[links]]
ends = ["a", "b"]
cap = "20Mbit/s"
rtt = "80ms"
[[policies]]
match = "private/**"
allowed = ["b", "a"]
class = "urgent"
deadline = "250ms"
tolerance = 0.001
[policies.significance]
filter = "relative"
threshold = 0.02
decay = "none"
)";

// The good file with one piece of text replaced.
std::string with(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string problem(const std::string& text) {
  const auto config = parse_config(text, "f.toml");
  return config ? "none" : config.error().message;
}

TEST(Config, ReadsEveryKey) {
  const auto config = parse_config(kGood, "f.toml");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->site, "a");
  EXPECT_EQ(config->certificate, "a.pem");
  EXPECT_EQ(config->state_dir, "/dev/shm/godwit/a");
  EXPECT_EQ(config->admin, "/run/godwit/a/admin.sock");
  ASSERT_EQ(config->sites.size(), 2U);
  EXPECT_EQ(config->find_site(SiteId::of("b"))->endpoints.front(), "192.0.2.2:7002");
  const LinkConfig* link = config->find_link("b", "a");
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(link->name, "a-b");
  EXPECT_EQ(link->cap, BitRate::bps(20'000'000));
  EXPECT_EQ(link->rtt, Duration::ms(80));
  const PolicyConfig& policy = config->policy_for("private/x/y");
  EXPECT_EQ(policy.traffic_class, "urgent");
  EXPECT_EQ(policy.deadline, Duration::ms(250));
  EXPECT_EQ(policy.tolerance, 0.001);
  EXPECT_EQ(policy.significance, 0.02);
  EXPECT_FALSE(policy.significance_decays);
}

constexpr std::string_view kDpdk = R"([port]
kind = "dpdk"
device = "0000:3b:00.0"
prefix = 28
gateway = "192.0.2.14"
neighbours = ["192.0.2.3 02:77:00:00:0a:ff"]
vlan = 7
mtu = 9000
huge_pages = "always"
idle = "spin"
)";

TEST(Config, ReadsThePort) {
  const auto config = parse_config(with("[tls]", std::string(kDpdk) + "[tls]"), "f.toml");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const auto options = port_options(config->port, config->find_site("a")->endpoints.front());
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->kind, port::PortKind::kDpdk);
  EXPECT_EQ(options->dpdk.device, "0000:3b:00.0");
  EXPECT_EQ(options->dpdk.mtu, 9000U);
  EXPECT_EQ(options->dpdk.huge_pages, port::HugePages::kAlways);
  EXPECT_EQ(options->dpdk.idle, port::IdleMode::kSpin);
  EXPECT_EQ(options->ip.v4->address.format(), "192.0.2.1");  // the endpoint's
  EXPECT_EQ(options->ip.v4->prefix_bits, 28U);
  EXPECT_EQ(options->ip.gateway_v4->format(), "192.0.2.14");
  EXPECT_EQ(options->ip.vlan, 7);
  EXPECT_EQ(options->ip.udp_port, 7001);
  ASSERT_EQ(options->ip.neighbours.size(), 1U);
  EXPECT_EQ(options->ip.neighbours[0].mac, (port::Mac{0x02, 0x77, 0, 0, 0x0a, 0xff}));
  const std::string once = effective_config(*config);
  const auto again = parse_config(once, "f.toml");
  ASSERT_TRUE(again.has_value()) << again.error().message << once;
  EXPECT_EQ(effective_config(*again), once);
}

TEST(Config, MakesASocketWhereNothingElseIsSaid) {
  const auto config = parse_config(kGood, "f.toml");
  ASSERT_TRUE(config.has_value());
  const auto options = port_options(config->port, config->find_site("a")->endpoints.front());
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->kind, port::PortKind::kUring);
  EXPECT_EQ(options->local.format(), "192.0.2.1:7001");
}

TEST(Config, TellsWhichSitesMayHoldATopic) {
  const auto config = parse_config(kGood, "f.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_TRUE(config->may_hold("private/x", "a"));
  EXPECT_FALSE(config->may_hold("private/x", "c"));
  EXPECT_TRUE(config->may_hold("public/x", "c"));
}

TEST(Config, IsTheSameFileForAnotherSite) {
  const auto config = parse_config(kGood, "f.toml", {.site = "b"});
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->site, "b");
  EXPECT_EQ(config->certificate, "b.pem");
}

TEST(Config, TakesTheFirstPolicyThatMatches) {
  const std::string text = std::string(kGood) +
                           "[[policies]]\nmatch = \"x\"\n"
                           "[[policies]]\nmatch = \"**\"\nclass = \"bulk\"\n";
  const auto config = parse_config(text, "f.toml");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->policy_for("private/t").traffic_class, "urgent");
  EXPECT_EQ(config->policy_for("x").class_or_default(), "normal");
  EXPECT_EQ(config->policy_for("y").traffic_class, "bulk");
}

TEST(Config, RefusesAPolicyThatTheOnesBeforeItSwitchOff) {
  const std::string all = "[[policies]]\nmatch = \"**\"\n";
  EXPECT_EQ(
      problem(with("[[policies]]\n", all + "[[policies]]\n")),
      "f.toml:19:9: [[policies]] match: \"private/**\" never holds: policies before it match "
      "all of its topics, and the first that matches holds; put it before them, or remove it");
  EXPECT_EQ(problem(std::string(kGood) + all), "none");
}

struct Bad {
  std::string_view from;
  std::string_view to;
  std::string_view said;
};

TEST(Config, RestsAndCapturesAsItIsTold) {
  const auto plain = parse_config(kGood, "f.toml");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->port.idle, port::IdleMode::kWait);
  EXPECT_EQ(plain->port.capture, "");
  EXPECT_EQ(plain->port.capture_max, Bytes::mib(64));
  const std::string text = with("[tls]",
                                "[port]\nidle = \"spin\"\ncapture = \"/c/{site}.pcap\"\n"
                                "capture_max = \"1GiB\"\n[tls]");
  const auto config = parse_config(text, "f.toml");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->port.idle, port::IdleMode::kSpin);
  EXPECT_EQ(config->port.capture, "/c/a.pcap");
  EXPECT_EQ(config->port.capture_max, Bytes::mib(1024));
}

TEST(Config, MarksNothingUnlessThereIsATable) {
  EXPECT_FALSE(parse_config(kGood, "f.toml")->markings.has_value());
  const auto standard = parse_config(std::string(kGood) + "[dscp]\n", "f.toml");
  ASSERT_TRUE(standard.has_value()) << standard.error().message;
  EXPECT_EQ(standard->markings->codepoints, (std::array<std::uint8_t, 4>{40, 18, 0, 1}));
  const auto own =
      parse_config(std::string(kGood) + "[dscp]\ncontrol = \"cs6\"\nnormal = \"17\"\n", "f.toml");
  ASSERT_TRUE(own.has_value()) << own.error().message;
  EXPECT_EQ(own->markings->codepoints, (std::array<std::uint8_t, 4>{48, 18, 17, 1}));
  EXPECT_EQ(parse_config(effective_config(*own), "f.toml")->markings, own->markings);
  EXPECT_NE(shared_hash(*own), shared_hash(*standard));
}

class ConfigRefuses : public ::testing::TestWithParam<Bad> {};

TEST_P(ConfigRefuses, WithThePlaceAndWhatIsAllowed) {
  EXPECT_THAT(problem(with(GetParam().from, GetParam().to)),
              HasSubstr(std::string(GetParam().said)));
}

INSTANTIATE_TEST_SUITE_P(
    Wrong,
    ConfigRefuses,
    ::testing::Values(
        Bad{"version = 1",
            "version = 2",
            "f.toml:1:11: the file version: must be the whole number 1"},
        Bad{"version = 1", "", "f.toml: the file version: is missing; write `version = 1`"},
        Bad{"site = \"a\"",
            "state_dri = \"x\"\nsite = \"a\"",
            "f.toml:3:1: [self]: unknown key `state_dri`; did you mean `state_dir`? allowed here: "
            "site, state_dir, durable_dir, client, admin, metrics_port, congestion, packet_bytes, "
            "memory, workers"},
        Bad{"site = \"a\"",
            "colour = 1\nsite = \"a\"",
            "unknown key `colour`; allowed here: site, "},
        Bad{"site = \"a\"", "site = 5", "[self] site: must be a string"},
        Bad{"site = \"a\"",
            "site = \"z\"",
            "f.toml:3:8: [self] site: \"z\" is no site of this file; those are: a, b"},
        Bad{"site = \"a\"", "site = \"\"", "[self] site: \"\" is no site of this file"},
        Bad{"site = \"a\"", "", "[self] site: is missing"},
        Bad{"site = \"a\"",
            "site = \"a\"\nmemory = \"much\"",
            "[self] memory: \"much\" is not a size such as \"64MiB\": a number and, without a "
            "space, one of: KiB, MiB, GiB, kB, MB, GB, B"},
        Bad{"site = \"a\"",
            "site = \"a\"\nmetrics_port = 70000",
            "f.toml:4:16: [self] metrics_port: must be a whole number from 0 to 65535"},
        Bad{"site = \"a\"",
            "site = \"a\"\nmetrics_port = 8080.5",
            "f.toml:4:16: [self] metrics_port: must be a whole number from 0 to 65535"},
        Bad{"site = \"a\"", "site = \"a\"\nmetrics_port = -1", "must be a whole number from 0"},
        Bad{"site = \"a\"",
            "site = \"a\"\nmemory = \"0B\"",
            "f.toml:4:10: [self] memory: must be from 32MiB to 65536GiB"},
        Bad{"site = \"a\"", "site = \"a\"\nmemory = \"32767KiB\"", "must be from 32MiB"},
        Bad{"site = \"a\"", "site = \"a\"\nmemory = \"65537GiB\"", "must be from 32MiB"},
        Bad{"site = \"a\"",
            "site = \"a\"\nclient = \"/run/s\"\nadmin = \"/run/./s\"",
            "f.toml:5:9: [self] admin: is the path of `client`, too"},
        Bad{"site = \"a\"",
            "site = \"a\"\nclient = \"/run/godwit/a/admin.sock\"",
            "[self] admin: is the path of `client`, too"},
        Bad{"site = \"a\"",
            "site = \"a\"\nclient = \"/run/s\"\nstate_dir = \"/run/./s\"",
            "f.toml:5:13: [self] state_dir: is the path of `client`, too, which is a socket"},
        Bad{"site = \"a\"",
            "site = \"a\"\nstate_dir = \"/s\\u0000x\"",
            "[self] state_dir: must not hold the character U+0000"},
        Bad{"site = \"a\"",
            "site = \"a\"\nstate_dir = \"\"",
            "[self] state_dir: must not be empty"},
        Bad{"site = \"a\"",
            "site = \"a\"\ndurable_dir = \"/d\"\nstate_dir = \"/x/../d/\"",
            "f.toml:5:13: [self] state_dir: /x/../d/ and /d are one place, or one lies in the "
            "other"},
        Bad{"site = \"a\"",
            "site = \"a\"\nstate_dir = \"/var/lib/godwit/{site}/s\"",
            "f.toml:4:13: [self] state_dir: /var/lib/godwit/a/s and /var/lib/godwit/a are one "
            "place"},
        Bad{"site = \"a\"",
            "site = \"a\"\ndurable_dir = \"/dev/shm/godwit/a/d\"",
            "f.toml:4:15: [self] durable_dir: /dev/shm/godwit/a and /dev/shm/godwit/a/d are one"},
        Bad{"[tls]",
            "[port]\nidle = \"sleep\"\n[tls]",
            "f.toml:5:8: [port] idle: \"sleep\" is not one of: wait, adaptive, spin"},
        Bad{"[tls]",
            "[port]\ncapture_max = \"1MiB\"\n[tls]",
            "[port] capture_max: must be at least 2MiB"},
        Bad{"[tls]", "[dscp]\nurgent = \"af44\"\n[tls]", "[dscp] urgent: \"af44\" is no codepoint"},
        Bad{"[tls]", "[dscp]\nurgnet = \"ef\"\n[tls]", "did you mean `urgent`?"},
        Bad{"class = \"urgent\"", "class = 3", "\"3\" is not one of: urgent, normal, bulk"},
        Bad{"\"ca.pem\"", "\"c\\u0000\"", "[tls] ca: must not hold the character U+0000"},
        Bad{"\"ca.pem\"", "\"{sit}.pem\"", "[tls] ca: has \"{sit}.pem\"; the only placeholder"},
        Bad{"ca = \"ca.pem\"", "", "[tls] needs the key `ca`"},
        Bad{"[tls]", "[tsl]", "unknown key `tsl`; did you mean `tls`?"},
        Bad{"ends = [\"a\", \"b\"]",
            "ends = [\"a\", \"a\"]",
            "[[links]] ends: must name two different sites"},
        Bad{"ends = [\"a\", \"b\"]",
            "ends = [\"a\", \"sin\"]",
            "\"sin\" is no site of this file; those are: a, b"},
        Bad{"[[policies]]",
            "[[links]]\nends = [\"b\", \"a\"]\nname = \"other\"\n[[policies]]",
            "this pair has a link already"},
        Bad{"ends = [\"a\", \"b\"]",
            "ends = [\"a\", \"b\"]\nname = \"x\\ny\"",
            "[[links]] name: must be printable ASCII, at most 255 bytes"},
        Bad{"ends = [\"a\", \"b\"]",
            "ends = [\"a\", \"b\"]\nname = \"\\u001b[2J\"",
            "[[links]] name: must be printable ASCII, at most 255 bytes"},
        Bad{"version = 1", "version = 1.0", "version: must be the whole number 1"},
        Bad{"\"20Mbit/s\"",
            "\"20Mbps\"",
            "f.toml:14:7: [[links]] cap: \"20Mbps\" is not a rate such as \"20Mbit/s\": a number "
            "and, without a space, one of: Gbit/s, Mbit/s, kbit/s, bit/s"},
        Bad{"\"20Mbit/s\"", "20", "f.toml:14:7: [[links]] cap: \"20\" is not a rate such as"},
        Bad{"\"20Mbit/s\"", "[20]", "[[links]] cap: \"an array\" is not a rate such as"},
        Bad{"[tls]", "[dscp]\nurgent = 46\n[tls]", "[dscp] urgent: must be a string, \"46\""},
        Bad{"\"20Mbit/s\"", "\"1kbit/s\"", "must be at least 64kbit/s"},
        Bad{"cap = \"20Mbit/s\"", "background = \"all\"", "needs a cap"},
        Bad{"cap = \"20Mbit/s\"", "background = \"yes\"", "is not one of: none, bulk, all"},
        Bad{"\"20Mbit/s\"", "\"20Mbit/s\"\ncongestion = \"reno\"", "is not one of: bbr, cubic"},
        Bad{"\"20Mbit/s\"", "\"20Mbit/s\"\ncongestion = \"\"", "\"\" is not one of: bbr, cubic"},
        Bad{"\"80ms\"", "\"80\"", "\"80\" is not a duration such as \"250ms\""},
        Bad{"\"80ms\"", "\"-80ms\"", "is not a duration"},
        Bad{"\"80ms\"", "\"0ms\"", "f.toml:15:7: [[links]] rtt: must be from 1us to 10s"},
        Bad{"\"80ms\"", "\"10001ms\"", "[[links]] rtt: must be from 1us to 10s"},
        Bad{"\"80ms\"", "\"9999h\"", "[[links]] rtt: must be from 1us to 10s"},
        Bad{"\"250ms\"",
            "\"0s\"",
            "f.toml:20:12: [[policies]] deadline: must be from 1ms to 2400h; leave the key out"},
        Bad{"\"250ms\"", "\"2401h\"", "[[policies]] deadline: must be from 1ms to 2400h"},
        Bad{"\"80ms\"", "\"nanms\"", "is not a duration"},
        Bad{"match = \"private/**\"", "", "[[policies]] needs the key `match`"},
        Bad{"\"private/**\"", "\"private//x\"", "must be parts of topics' names with single '/'"},
        Bad{"\"private/**\"", "\"priv***\"", "`*` stands for one whole part"},
        Bad{"allowed = [\"b\", \"a\"]",
            "allowed = [\"b\", \"q\"]",
            "[[policies]] allowed: \"q\" is no site of this file; those are: a, b"},
        Bad{"allowed = [\"b\", \"a\"]",
            "allowed = [\"b\", \"a\", \"b\"]",
            "[[policies]] allowed: \"b\" stands there twice"},
        Bad{"allowed = [\"b\", \"a\"]", "allowed = \"b\"", "must be an array of strings"},
        Bad{"allowed = [\"b\", \"a\"]", "allowed = []", "must name a site; leave the key out"},
        Bad{"allowed = [\"b\", \"a\"]",
            "quota = \"3GB\"",
            "[[policies]]: unknown key `quota`; allowed here: match, allowed, class, deadline, "
            "tolerance, significance"},
        Bad{"allowed = [\"b\", \"a\"]", "transit = true", "unknown key `transit`"},
        Bad{"class = \"urgent\"",
            "class = \"fast\"",
            "\"fast\" is not one of: urgent, normal, bulk"},
        Bad{"tolerance = 0.001", "tolerance = -1", "must be a number from 0 to 1000000"},
        Bad{"tolerance = 0.001", "tolerance = nan", "must be a number from 0 to 1000000"},
        Bad{"threshold = 0.02", "treshold = 0.02", "did you mean `threshold`?"},
        Bad{"decay = \"none\"", "decay = \"fast\"", "is not one of: 1/sqrt(t), none"},
        Bad{"[tls]", "packet_bytes = 1000\n[tls]", "must be a whole number from 1200 to 8952"},
        Bad{"[tls]",
            "[port]\nkind = \"tcp\"\n[tls]",
            "f.toml:5:8: [port] kind: \"tcp\" is not one of: uring, epoll, dpdk"},
        Bad{"[tls]", "[port]\nkind = \"dpdk\"\n[tls]", "f.toml:4:1: [port] device: is missing"},
        Bad{"[tls]",
            "[port]\ndevice = \"eth0\"\n[tls]",
            "f.toml:5:10: [port] device: \"eth0\" is no device"},
        Bad{"[tls]",
            "[port]\nmtu = 1279\n[tls]",
            "[port] mtu: must be a whole number from 1280 to 9000"},
        Bad{"[tls]",
            "[port]\nvlan = 7.5\n[tls]",
            "[port] vlan: must be a whole number from 1 to 4094"},
        Bad{"[tls]", "[port]\nprefix = 129\n[tls]", "must be a whole number from 1 to 128"},
        Bad{"[tls]", "[port]\naddress = \"a.b\"\n[tls]", "f.toml:5:11: [port] address: "},
        Bad{"[tls]", "[port]\ngateway = \"1.2.3\"\n[tls]", "f.toml:5:11: [port] gateway: "},
        Bad{"[tls]",
            "[port]\nneighbours = [\"10.0.0.1\"]\n[tls]",
            "[port] neighbours: \"10.0.0.1\" is not \"ADDRESS MAC\""},
        Bad{"[tls]",
            "[port]\nneighbours = [\"10.0.0.1 02:77:00:00:00:1\"]\n[tls]",
            "\"02:77:00:00:00:1\" is no MAC address"},
        Bad{"[tls]",
            "[port]\nneighbours = [\"10.0.0.1 02:77:00:00-00:01\"]\n[tls]",
            "\"02:77:00:00-00:01\" is no MAC address"},
        Bad{"[tls]", "[port]\nhugepages = \"never\"\n[tls]", "did you mean `huge_pages`?"},
        Bad{"site = \"a\"", "port = \"epoll\"\nsite = \"a\"", "[self]: unknown key `port`"},
        Bad{"[tls]", "[tls", "f.toml:4:"}));

TEST(Config, ChecksThePortThatTheCommandLineAsksFor) {
  EXPECT_EQ(parse_config(kGood, "f.toml", {.port = "epoll"})->port.kind, "epoll");
  EXPECT_THAT(parse_config(kGood, "f.toml", {.port = "dpdk"}).error().message,
              HasSubstr("f.toml: [port] device: is missing; DPDK needs one"));
  const auto config = parse_config(
      with("[tls]", "[port]\ndevice = \"net_null0\"\n[tls]"), "f.toml", {.port = "dpdk"});
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->port.kind, "dpdk");
}

TEST(Config, TakesDirectoriesBesideEachOther) {
  EXPECT_EQ(
      problem(with("site = \"a\"", "site = \"a\"\ndurable_dir = \"/g/d\"\nstate_dir = \"/g/dd\"")),
      "none");
}

TEST(Config, NamesNoPlaceForATableThatIsNotThere) {
  EXPECT_EQ(
      problem(with("[self]\nsite = \"a\"\n", "")),
      "f.toml: [self] site: is missing; name one of the sites of this file, here or by --site");
  EXPECT_THAT(
      problem(with("[tls]\nca = \"ca.pem\"\ncert = \"{site}.pem\"\nkey = \"{site}.key\"\n", "")),
      HasSubstr("f.toml: the file tls: is missing: "));
  EXPECT_EQ(problem(""),
            "f.toml: the file version: is missing; write `version = 1`\n"
            "f.toml: the file sites: is missing; needs 2 to 64 tables [sites.NAME]\n"
            "f.toml: [self] site: is missing; name one of the sites of this file, here or by "
            "--site\n"
            "f.toml: the file tls: is missing: gateways speak only mutual TLS; see `godwit cert "
            "--help`");
}

TEST(Config, RefusesASocketPathThatTheSystemCannotTake) {
  const auto said = [](std::string_view key, std::size_t bytes) {
    const std::string path =
        "/" + std::string(bytes - 1 - 1, 's') + "{site}";  // {site} is one byte
    return problem(with("site = \"a\"", fmt::format("site = \"a\"\n{} = \"{}\"", key, path)));
  };
  for (const std::string_view key : {"client", "admin"}) {
    EXPECT_EQ(said(key, 107), "none");
    EXPECT_THAT(said(key, 108),
                HasSubstr(fmt::format("f.toml:4:{}: [self] {}: \"/sss", key.size() + 4, key)));
    EXPECT_THAT(said(key, 108), HasSubstr("has 108 bytes; a socket's path has at most 107"));
  }
}

TEST(Config, NamesEveryProblemAtOnce) {
  std::string text = with("\"20Mbit/s\"", "\"x\"");
  text.replace(text.find("\"80ms\""), 6, "\"y\"");
  const std::string said = problem(text);
  EXPECT_THAT(said, HasSubstr("f.toml:14:7"));
  EXPECT_THAT(said, HasSubstr("f.toml:15:7"));
}

TEST(Config, EndsForASiteThatIsNamedLikeThePlaceholder) {
  EXPECT_THAT(problem(with("site = \"a\"", "site = \"x{site}\"")),
              HasSubstr("\"x{site}\" is no site of this file"));
}

TEST(Config, WritesItselfInFullAndReadsThatBack) {
  const auto config = parse_config(kGood, "f.toml");
  ASSERT_TRUE(config.has_value());
  const std::string once = effective_config(*config);
  const auto again = parse_config(once, "f.toml");
  ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << once;
  EXPECT_EQ(effective_config(*again), once);
  EXPECT_EQ(again->congestion, config->congestion);
  EXPECT_EQ(again->packet_bytes, config->packet_bytes);
  EXPECT_EQ(again->memory, config->memory);
  EXPECT_EQ(again->find_link("a", "b")->rtt, Duration::ms(80));
  EXPECT_EQ(again->policies.front().significance, 0.02);
}

TEST(Config, TakesTheSmallestAndTheLargestOfEveryRange) {
  for (const auto& [from, to] : {std::pair("\"80ms\"", "\"1us\""),
                                 std::pair("\"80ms\"", "\"10s\""),
                                 std::pair("\"250ms\"", "\"1ms\""),
                                 std::pair("\"250ms\"", "\"2400h\""),
                                 std::pair("site = \"a\"", "site = \"a\"\nmemory = \"32MiB\""),
                                 std::pair("site = \"a\"", "site = \"a\"\nmemory = \"65536GiB\""),
                                 std::pair("site = \"a\"", "site = \"a\"\nmetrics_port = 65535")}) {
    EXPECT_EQ(problem(with(from, to)), "none") << to;
  }
}

TEST(Config, HasOneHashAtAllSitesThatDiffersWithEveryRule) {
  const auto hash = [](const std::string& text, std::string_view site) {
    const auto config = parse_config(text, "f.toml", {.site = site});
    EXPECT_TRUE(config.has_value()) << config.error().message;
    return config ? shared_hash(*config) : 0;
  };
  const std::string plain =
      "version = 1\n[self]\nsite = \"a\"\n[tls]\nca = \"c\"\ncert = \"c\"\nkey = \"k\"\n"
      "[sites.a]\nendpoint = \"127.0.0.1:7001\"\n[sites.b]\nendpoint = \"127.0.0.1:7002\"\n";
  const std::string link = "[[links]]\nends = [\"a\", \"b\"]\n";
  const std::string policy = "[[policies]]\nmatch = \"x/**\"\n";
  const std::uint64_t one = hash(plain + link + policy, "a");
  EXPECT_EQ(hash(plain + link + policy, "b"), one);
  EXPECT_EQ(hash(plain + link + "rtt = \"100ms\"\n" + policy, "a"), one);  // the default
  std::string other_self = plain;
  other_self.insert(other_self.find("[tls]"), "memory = \"1GiB\"\nstate_dir = \"/s/{site}\"\n");
  EXPECT_EQ(hash(other_self + link + policy, "a"), one);
  EXPECT_NE(hash(plain + policy, "a"), one);
  EXPECT_NE(hash(plain + link + "rtt = \"90ms\"\n" + policy, "a"), one);
  EXPECT_NE(hash(plain + link + policy + "allowed = [\"a\"]\n", "a"), one);
  EXPECT_NE(hash(plain + link + policy + "tolerance = 1\n", "a"), one);
}

TEST(Config, WritesTextsThatNeedQuotingSoThatTheyReadBack) {
  auto config = parse_config(kGood, "f.toml");
  ASSERT_TRUE(config.has_value());
  config->state_dir = "/a \"quoted\" \\ path\t";
  const auto again = parse_config(effective_config(*config), "f.toml");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->state_dir, config->state_dir);
}

TEST(Config, IsReadFromAFileOfAtMostAMebibyte) {
  const testing_support::TemporaryFolder folder;
  const std::string path = (folder / "godwit.toml").string();
  EXPECT_THAT(load_config(path).error().message, HasSubstr("cannot be read"));
  EXPECT_THAT(load_config((folder / ".").string()).error().message,
              HasSubstr("is a directory; give the path of a configuration file"));
  EXPECT_THAT(load_config("/proc/self/mem").error().message, HasSubstr("reading it failed"));
  std::ofstream(path) << kGood;
  EXPECT_TRUE(load_config(path).has_value());
  std::ofstream(path) << std::string(1'100'000, '#');
  EXPECT_THAT(load_config(path).error().message, HasSubstr("is over 1048576 bytes"));
}

}  // namespace
}  // namespace godwit::gateway
