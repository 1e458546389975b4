#include "bench/wan/control.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "bench/wan/presets.h"
#include "tests/support/instants.h"

namespace godwit::wan {
namespace {

using Json = nlohmann::json;

PlanRequest three_sites() {
  PlanRequest request;
  request.preset = presets().front().name;
  request.sites = 3;
  request.names = {"a", "b", "c"};
  return request;
}

struct Fixture {
  Network network{*make_plan(three_sites()), 1};
  TapFigures tap;
  Control control{network,
                  three_sites(),
                  nlohmann::ordered_json{{"ready", true}, {"sites", 3}},
                  [this](std::size_t) { return tap; },
                  at_ms(0)};

  Json ask(std::string_view line, Instant now = at_ms(1'000)) {
    return Json::parse(control.answer(now, line));
  }
  std::string refusal(std::string_view line) {
    const Json reply = ask(line);
    EXPECT_FALSE(reply["ok"].get<bool>()) << line;
    return reply.value("error", "");
  }
  void send(std::uint32_t from, std::uint32_t to, std::size_t bytes) {
    const std::array<std::byte, kFrameBytesMax> frame{};
    network.offer(at_ms(0),
                  SiteIndex{from},
                  SiteIndex{to},
                  std::span(frame).first(bytes + kEthernetHeaderBytes));
  }
};

TEST(Control, CutsBothDirectionsUnlessTold) {
  Fixture f;
  EXPECT_EQ(f.ask(R"({"op":"cut","from":"a","to":"b"})")["changed"], 2);
  EXPECT_TRUE(f.network.link(0, 1).is_cut() && f.network.link(1, 0).is_cut());
  EXPECT_FALSE(f.network.link(0, 2).is_cut());
  EXPECT_EQ(f.ask(R"({"op":"heal","from":"a","to":"b","one_way":true})")["changed"], 1);
  EXPECT_FALSE(f.network.link(0, 1).is_cut());
  EXPECT_TRUE(f.network.link(1, 0).is_cut());
}

TEST(Control, CutsEveryLinkOfASite) {
  Fixture f;
  EXPECT_EQ(f.ask(R"({"op":"cut","from":"b","to":"*"})")["changed"], 4);
  EXPECT_TRUE(f.network.link(1, 2).is_cut() && f.network.link(0, 1).is_cut());
  EXPECT_FALSE(f.network.link(0, 2).is_cut());
}

TEST(Control, SetsWhatIsNamedAndKeepsTheRest) {
  Fixture f;
  const LinkSettings before = f.network.link(0, 1).settings();
  EXPECT_EQ(f.ask(R"({"op":"set","from":"a","to":"b","one_way":true,"loss":0.5})")["changed"], 1);
  EXPECT_EQ(f.network.link(0, 1).settings().loss, 0.5);
  EXPECT_EQ(f.network.link(0, 1).settings().rate, before.rate);
  EXPECT_EQ(f.network.link(1, 0).settings(), before);
  f.ask(R"({"op":"set","from":"a","to":"b","rate_mbit":null})");
  EXPECT_TRUE(f.network.link(0, 1).settings().rate.is_unlimited());
}

TEST(Control, AQueueFollowsRateAndDelayUntilItIsSet) {
  Fixture f;
  f.ask(R"({"op":"set","from":"a","to":"b","rate_mbit":80,"delay_ms":50,"queue_bytes":70000})");
  EXPECT_EQ(f.network.link(0, 1).settings().queue, Bytes(70'000));
  f.ask(R"({"op":"set","from":"a","to":"b","delay_ms":100})");
  EXPECT_EQ(f.network.link(0, 1).settings().queue, Bytes(70'000));
  // 80 Mbit/s for 200 ms are 2,000,000 bytes: once that is the queue, it follows.
  f.ask(R"({"op":"set","from":"a","to":"b","queue_bytes":2000000})");
  f.ask(R"({"op":"set","from":"a","to":"b","rate_mbit":40})");
  EXPECT_EQ(f.network.link(0, 1).settings().queue, Bytes(1'000'000));
}

TEST(Control, StatsCountLayerThreeBytesByPair) {
  Fixture f;
  f.send(0, 1, 1'000);
  f.send(0, 1, 500);
  while (f.network.next_delivery(at_ms(100))) {
  }
  f.send(2, 0, 100);
  f.tap.drops = 5;
  f.tap.frames_in = 7;
  const Json reply = f.ask(R"({"op":"stats"})", at_ms(2'500));
  EXPECT_DOUBLE_EQ(reply["seconds"], 2.5);
  EXPECT_EQ(reply["pairs"].size(), 6U);
  EXPECT_EQ(reply["pairs"][0]["from"], "a");
  EXPECT_EQ(reply["pairs"][0]["to"], "b");
  EXPECT_EQ(reply["pairs"][0]["bytes"], 1'500);
  EXPECT_EQ(reply["pairs"][0]["packets"], 2);
  EXPECT_EQ(reply["pairs"][4]["queued_bytes"], 100);
  EXPECT_EQ(reply["bytes_total"], 1'500);
  EXPECT_EQ(reply["lateness_ms"]["count"], 2);
  EXPECT_GT(reply["lateness_ms"]["max"], 90.0);
  EXPECT_EQ(reply["sites"][0]["tap_drops"], 5);
  EXPECT_EQ(reply["sites"][0]["frames_in"], 7);

  EXPECT_TRUE(f.ask(R"({"op":"reset"})", at_ms(3'000))["ok"]);
  const Json after = f.ask(R"({"op":"stats"})", at_ms(3'500));
  EXPECT_EQ(after["bytes_total"], 0);
  EXPECT_DOUBLE_EQ(after["seconds"], 0.5);
  EXPECT_EQ(after["sites"][0]["tap_drops"], 0);
  EXPECT_EQ(after["sites"][0]["frames_in"], 0);
}

TEST(Control, AnotherPresetKeepsTheSitesAndStartsAfresh) {
  for (const Preset& preset : presets()) {
    Fixture f;
    f.send(0, 1, 1'000);
    f.ask(R"({"op":"cut","from":"a","to":"b"})");
    std::string name(preset.name);
    name += preset.shape == PresetShape::kDrawn ? ":3" : "";
    const Json request{{"op", "preset"}, {"name", name}, {"unlimited", true}};
    const Json reply = f.ask(request.dump());
    ASSERT_TRUE(reply["ok"]) << reply;
    EXPECT_EQ(reply["wan"], name);
    EXPECT_EQ(f.network.plan().sites, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_TRUE(f.network.link(0, 1).settings().rate.is_unlimited());
    EXPECT_FALSE(f.network.link(0, 1).is_cut());
    EXPECT_EQ(f.network.link(0, 1).counters().packets_in, 0U);
    EXPECT_EQ(f.ask(R"({"op":"sites"})")["wan"], name);
    EXPECT_EQ(f.network.next_wakeup(), Instant::never());
  }
}

TEST(Control, RefusalsNameWhatIsAllowedAndChangeNothing) {
  Fixture f;
  const LinkSettings before = f.network.link(0, 1).settings();
  const auto has = [&](std::string_view line, std::string_view expected) {
    const std::string message = f.refusal(line);
    EXPECT_NE(message.find(expected), std::string::npos) << line << " -> " << message;
  };
  has("", "JSON object");
  has("[]", "JSON object");
  has("{", "JSON object");
  has("{}", "'op'");
  has(R"({"op":1})", "'op'");
  has(R"({"op":"stop"})", "sites, stats, links");
  has(R"({"op":"stats","from":"a"})", "unknown member 'from'");
  has(R"({"op":"cut","from":"x","to":"b"})", "a, b, c");
  has(R"({"op":"cut","from":"a","to":"a"})", "two sites");
  has(R"({"op":"cut","from":"a"})", "'to'");
  has(R"({"op":"cut","from":"a","to":"b","one_way":1})", "true or false");
  has(R"({"op":"set","from":"a","to":"b"})", "rate_mbit, delay_ms");
  has(R"({"op":"set","from":"a","to":"b","rate":5})", "unknown member 'rate'");
  has(R"({"op":"set","from":"a","to":"b","loss":2,"rate_mbit":5})", "0 to 1");
  has(R"({"op":"set","from":"a","to":"b","delay_ms":"5"})", "must be a number");
  has(R"({"op":"preset","name":"nowhere"})", presets().front().name);
  has(std::string(kRequestBytesMax + 1, ' '), "4096");
  EXPECT_EQ(f.network.link(0, 1).settings(), before);
  EXPECT_FALSE(f.network.link(0, 1).is_cut());
}

}  // namespace
}  // namespace godwit::wan
