#include "api/local/names.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace godwit::local {
namespace {

TEST(Names, OfTopicsHaveOneSpelling) {
  for (const std::string_view good : {"a", "model/w", "a.b/-_ ~/...", "hospital/x"}) {
    EXPECT_TRUE(check_topic_name(good)) << good;
  }
  for (const std::string_view bad : {"",
                                     "/hospital/x",
                                     "hospital//x",
                                     "hospital/x/",
                                     "hospital/../x",
                                     "./x",
                                     "a/*",
                                     "a*",
                                     "ä"}) {
    const auto checked = check_topic_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, Code::kInvalid);
  }
  EXPECT_TRUE(check_topic_name(std::string(255, 'a')));
  EXPECT_FALSE(check_topic_name(std::string(256, 'a')));
  EXPECT_EQ(check_topic_name("a\n").error().message.substr(0, 24), "\"a?\" is no topic's name:");
}

}  // namespace
}  // namespace godwit::local
