#include "api/cli/json.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "api/proto/admin.pb.h"
#include "api/proto/control.pb.h"

namespace godwit::cli {
namespace {

TEST(Json, CountsAreNumbersAndIdentitiesAreHexadecimal) {
  admin::StatusReport report;
  report.set_memory_used_bytes(std::numeric_limits<std::uint64_t>::max());
  report.set_incarnation(0x0000000700c0ffeeU);

  const auto json = to_json(report);

  EXPECT_EQ(json["memory_used_bytes"].dump(), "18446744073709551615");
  EXPECT_EQ(json["incarnation"], "0000000700c0ffee");
}

TEST(Json, EveryFieldIsThereEvenWhenItIsEmpty) {
  const auto json = to_json(admin::StatusReport());

  EXPECT_EQ(json["site"], "");
  EXPECT_EQ(json["defect"], 0);
  EXPECT_TRUE(json["problems"].is_array());
  EXPECT_EQ(static_cast<int>(json.size()), admin::StatusReport::descriptor()->field_count());
}

TEST(Json, EnumeratorsLoseTheirPrefix) {
  admin::LinkReport link;
  link.set_state(admin::LinkReport::STATE_REFUSED);
  admin::Error error;
  error.set_code(admin::Error::CODE_NOT_FOUND);

  EXPECT_EQ(to_json(link)["state"], "refused");
  EXPECT_EQ(to_json(error)["code"], "not_found");
}

TEST(Json, WhatIsNoNumberIsNull) {
  admin::TopicLedger topic;
  topic.set_open_mass(std::numeric_limits<double>::quiet_NaN());
  topic.set_sent_mass(1.5);

  EXPECT_TRUE(to_json(topic)["open_mass"].is_null());
  EXPECT_EQ(to_json(topic)["sent_mass"], 1.5);
}

TEST(Json, AOneofShowsOnlyItsKind) {
  admin::AdminResponse response;
  response.mutable_stop()->set_open_bytes_estimate(7);

  EXPECT_EQ(to_json(response).dump(), R"({"stop":{"open_bytes_estimate":7,"drain_ns":0}})");
}

TEST(Json, RepeatedMessagesAndBytes) {
  control::Receipt receipt;
  receipt.set_bitmap(std::string("\x00\xff", 2));
  admin::LinksReport links;
  links.add_links()->set_peer("sin");
  links.add_links()->set_peer("iad");

  EXPECT_EQ(to_json(receipt)["bitmap"], "00ff");
  EXPECT_EQ(to_json(links)["links"][1]["peer"], "iad");
}

}  // namespace
}  // namespace godwit::cli
