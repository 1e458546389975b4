// What a client may declare.
#include "api/gateway/topic.h"

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

local::Declare with_class(std::string name) {
  local::Declare declare;
  declare.topic = "t";
  declare.element_count = 8;
  declare.fraction_bits = 40;
  declare.service_class = std::move(name);
  return declare;
}

TEST(Topic, TakesTheClassThatIsDeclaredElseThePolicys) {
  const Config config = config_of("a", "[[policies]]\nmatch = \"**\"\nclass = \"bulk\"\n");
  EXPECT_EQ(make_spec(with_class("urgent"), config)->traffic_class, scheduler::Class::kUrgent);
  EXPECT_EQ(make_spec(with_class("normal"), config)->traffic_class, scheduler::Class::kNormal);
  EXPECT_EQ(make_spec(with_class(""), config)->traffic_class, scheduler::Class::kBulk);
}

TEST(Topic, RefusesAClassThatThereIsNot) {
  const auto spec = make_spec(with_class("fast"), config_of("a"));
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, Code::kInvalid);
  EXPECT_NE(spec.error().message.find("\"fast\" is none of urgent, normal, bulk"),
            std::string::npos);
}

}  // namespace
}  // namespace godwit::gateway
