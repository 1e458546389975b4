#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/gateway/config.h"
#include "api/gateway/topic_pattern.h"

namespace godwit::gateway {
namespace {

std::string drawn_path(std::size_t most) {
  std::string text = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  std::replace(text.begin(), text.end(), '{', '}');  // which would open a placeholder
  return text.substr(0, most) + "x";
}

std::string drawn_name(std::size_t most) {
  std::string text = *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f'));
  return text.substr(0, most) + "x";
}

Config drawn_config() {
  Config config;
  const int count = *rc::gen::inRange(2, 6);
  for (int i = 0; i < count; ++i) {
    const std::string name = "site-" + std::to_string(i);
    config.sites.push_back({.name = name,
                            .id = SiteId::of(name),
                            .endpoints = {"192.0.2.1:" + std::to_string(7000 + i)}});
    // The own one, the last, may stand behind a device, which has one.
    const int more = i + 1 < count ? *rc::gen::inRange(0, 4) : 0;
    for (int other = 0; other < more; ++other) {
      config.sites.back().endpoints.push_back("198.51.100." + std::to_string(other) + ":" +
                                              std::to_string(7000 + i));
    }
  }
  config.site = config.sites.back().name;
  for (std::string* text : {&config.state_dir,
                            &config.durable_dir,
                            &config.client,
                            &config.admin,
                            &config.certificate,
                            &config.key,
                            &config.authority}) {
    *text = drawn_path(40);
  }
  config.port.kind = *rc::gen::element<std::string>("uring", "epoll", "dpdk");
  config.port.idle =
      *rc::gen::element(port::IdleMode::kWait, port::IdleMode::kAdaptive, port::IdleMode::kSpin);
  config.port.capture = *rc::gen::arbitrary<bool>() ? drawn_path(40) : "";
  config.port.capture_max =
      Bytes(*rc::gen::inRange<std::uint64_t>(2 << 20, std::uint64_t{1} << 40U));
  config.port.device =
      *rc::gen::element<std::string>("af_packet:wan0", "0000:3b:00.0", "net_ring0");
  config.port.address = *rc::gen::element<std::string>("", "10.0.0.7");
  if (*rc::gen::arbitrary<bool>()) {
    config.port.address = "10.0.0.7";  // the gateway is in its network
    config.port.prefix = *rc::gen::inRange(1U, 29U);
    config.port.gateway = "10.0.0.1";
    config.port.vlan = *rc::gen::inRange<std::uint16_t>(1, 4095);
    config.port.neighbours = {"10.0.0.1 02:77:00:00:00:01", "10.0.0.2 02:77:00:00:00:02"};
  }
  config.port.mtu = *rc::gen::inRange<std::size_t>(1280, 9001);
  config.port.huge_pages = *rc::gen::element<std::string>("auto", "always", "never");
  if (*rc::gen::arbitrary<bool>()) {
    config.markings.emplace();
    for (std::uint8_t& codepoint : config.markings->codepoints) {
      codepoint = *rc::gen::inRange<std::uint8_t>(0, 64);
    }
  }
  config.congestion = *rc::gen::element<std::string>("bbr", "cubic");
  config.packet_bytes = *rc::gen::inRange<std::size_t>(1200, 8953);
  config.state_dir.insert(0, "s");  // paths of their own
  config.durable_dir.insert(0, "d");
  config.client.insert(0, "c");
  config.admin.insert(0, "a");
  config.memory = Bytes(*rc::gen::inRange<std::uint64_t>(1U << 25U, std::uint64_t{1} << 46U));
  LinkConfig link;
  link.name = drawn_name(10);  // printable
  link.ends[0] = config.sites[0].name;
  link.ends[1] = config.sites[1].name;
  if (*rc::gen::arbitrary<bool>()) {
    link.cap = BitRate::bps(*rc::gen::inRange<std::uint64_t>(64'000, 10'000'000'000'000));
  }
  link.rtt = Duration::ns(*rc::gen::inRange<std::int64_t>(1'000, 10'000'000'001));
  link.congestion = *rc::gen::element<std::string>("", "bbr", "cubic");
  if (!link.cap.is_unlimited()) {
    link.yields = *rc::gen::element(
        transport::Yields::kNothing, transport::Yields::kBulk, transport::Yields::kAll);
  }
  link.connections = 1U << *rc::gen::inRange(0U, 7U);
  config.links.push_back(link);
  PolicyConfig policy;
  policy.match = *rc::gen::element<std::string>("**", "a/*", "b/**/c");
  if (*rc::gen::arbitrary<bool>()) {
    std::set<std::string> allowed{config.sites[0].name, config.site};
    policy.allowed.assign(allowed.begin(), allowed.end());
    policy.deadline = Duration::ns(*rc::gen::inRange<std::int64_t>(1'000'000, 10'000'000'000));
    policy.tolerance = *rc::gen::inRange(0, 1000) / 997.0;
    policy.significance = *rc::gen::inRange(0, 1000) / 991.0;
    policy.significance_decays = *rc::gen::arbitrary<bool>();
  }
  config.policies.push_back(policy);
  return config;
}

RC_GTEST_PROP(ConfigLaw, EffectiveTextReadsBackAsTheSameConfiguration, ()) {
  const Config config = drawn_config();
  const std::string text = effective_config(config);
  const auto again = parse_config(text, "f.toml");
  RC_ASSERT(again.has_value());
  RC_ASSERT(effective_config(*again) == text);
  for (const SiteConfig& site : config.sites) {
    RC_ASSERT(again->find_site(site.name)->endpoints == site.endpoints);
  }
  RC_ASSERT(again->state_dir == config.state_dir);
  RC_ASSERT(again->memory == config.memory);
  RC_ASSERT(again->port.kind == config.port.kind);
  RC_ASSERT(again->port.neighbours == config.port.neighbours);
  RC_ASSERT(again->port.idle == config.port.idle);
  RC_ASSERT(again->port.capture == config.port.capture);
  RC_ASSERT(again->port.capture_max == config.port.capture_max);
  RC_ASSERT(again->markings == config.markings);
  RC_ASSERT(again->links[0].cap == config.links[0].cap);
  RC_ASSERT(again->links[0].rtt == config.links[0].rtt);
  RC_ASSERT(again->policies[0].deadline == config.policies[0].deadline);
  RC_ASSERT(again->policies[0].tolerance == config.policies[0].tolerance);
  RC_ASSERT(again->policies[0].significance == config.policies[0].significance);
}

TEST(ConfigLaw, KeysOfThousandsOfLevelsAreRefused) {
  for (const std::string_view open : {"[", "a = 1\n", "x = {"}) {
    std::string text(open);
    for (int level = 0; level < 200'000; ++level) {
      text += "a.";
    }
    const auto config = parse_config(text + "a = 1\n", "f.toml");
    ASSERT_FALSE(config.has_value());
    EXPECT_NE(config.error().message.find(": a line has at most 1000 dots"), std::string::npos);
  }
}

RC_GTEST_PROP(ConfigLaw, AnyTextIsReadOrRefusedWithItsPlace, (const std::string& text)) {
  const auto config = parse_config(text, "f.toml");
  RC_ASSERT(!config.has_value());
  RC_ASSERT(config.error().message.starts_with("f.toml:"));
}

std::string drawn_parts(const std::vector<std::string>& from) {
  const int count = *rc::gen::inRange(1, 7);
  std::string text = *rc::gen::elementOf(from);
  for (int i = 1; i < count; ++i) {
    text += "/" + *rc::gen::elementOf(from);
  }
  return text;
}

// What is found is matched as it should be; what is not found, nobody finds.
RC_GTEST_PROP(ConfigLaw, AFoundTopicIsMatchedByAllAndByNoneOfTheOthers, ()) {
  const std::vector<std::string> parts = {"a", "b", "*", "**"};
  const std::vector<std::string> texts = {
      drawn_parts(parts), drawn_parts(parts), drawn_parts(parts)};
  const std::vector<TopicPattern> all = {TopicPattern(texts[0]), TopicPattern(texts[1])};
  const std::vector<TopicPattern> none = {TopicPattern(texts[2])};
  const auto fits = [&](std::string_view topic) {
    return topic_matches(texts[0], topic) && topic_matches(texts[1], topic) &&
           !topic_matches(texts[2], topic);
  };
  std::size_t steps = 1'000'000;
  const auto topic = find_topic(all, none, steps);
  RC_PRE(topic.has_value());
  const bool is_right = *topic ? fits(**topic) : !fits(drawn_parts({"a", "b", "c"}));
  RC_ASSERT(is_right);
}

// A pattern without wildcards matches itself alone, and ** matches everything.
RC_GTEST_PROP(ConfigLaw, PatternsMatchThemselves, ()) {
  const auto parts = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("a", "b", "cc")));
  std::string topic;
  for (const auto& part : parts) {
    topic += (topic.empty() ? "" : "/") + part;
  }
  RC_ASSERT(topic_matches(topic, topic));
  RC_ASSERT(topic_matches("**", topic));
  RC_ASSERT(topic_matches(topic + "/**", topic));
  RC_ASSERT(topic_matches("**/" + parts.back(), topic));
  RC_ASSERT(!topic_matches(topic, topic + "/a"));
  RC_ASSERT(!topic_matches(topic + "/*", topic));
}

}  // namespace
}  // namespace godwit::gateway
