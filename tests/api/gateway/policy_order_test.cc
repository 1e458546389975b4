#include "api/gateway/policy_order.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

const std::vector<SiteConfig> kSites = {{.name = "fra", .id = SiteId::of("fra"), .endpoints = {}},
                                        {.name = "iad", .id = SiteId::of("iad"), .endpoints = {}},
                                        {.name = "sin", .id = SiteId::of("sin"), .endpoints = {}}};

PolicyConfig policy(const std::string& match, const std::vector<std::string>& allowed = {}) {
  PolicyConfig one;
  one.match = match;
  one.allowed = allowed;
  return one;
}

// What is wrong with the last of the policies; "none" when it can hold.
std::string problem(const std::vector<PolicyConfig>& policies, std::size_t steps = kPatternSteps) {
  const std::span<const PolicyConfig> all(policies);
  return order_problem(all.first(all.size() - 1), all.back(), kSites, steps).value_or("none");
}

TEST(PolicyOrder, RefusesAPolicyThatCanNeverHold) {
  EXPECT_THAT(problem({policy("**"), policy("hospital/**", {"fra"})}),
              HasSubstr("\"hospital/**\" never holds"));
  EXPECT_THAT(problem({policy("a/*"), policy("a/b")}), HasSubstr("never holds"));
  EXPECT_THAT(problem({policy("a"), policy("a")}), HasSubstr("never holds"));
  EXPECT_THAT(problem({policy("a"), policy("a/*/**"), policy("a/**")}), HasSubstr("never holds"))
      << "those before it match all of it together";
}

TEST(PolicyOrder, TakesTheNarrowerPolicyFirstAsAnException) {
  EXPECT_EQ(problem({policy("hospital/**", {"fra"}), policy("**")}), "none");
  EXPECT_EQ(problem({policy("hospital/public/**"), policy("hospital/**", {"fra"})}), "none");
  EXPECT_EQ(problem({policy("a/**"), policy("b/**", {"fra"})}), "none");
}

TEST(PolicyOrder, RefusesAnEarlierPolicyThatLetsTopicsOutOfALaterOnesSites) {
  const std::string said = problem({policy("**/x"), policy("hospital/**", {"fra"})});
  EXPECT_THAT(
      said,
      HasSubstr("\"hospital/**\" allows only fra, but topic \"hospital/x\" would be ruled by "
                "\"**/x\" before it, which allows iad, too; put the policy with fewer"));
  EXPECT_THAT(problem({policy("**/x", {"fra", "sin"}), policy("hospital/**", {"fra"})}),
              HasSubstr("which allows sin, too"));
}

TEST(PolicyOrder, TakesAnEarlierPolicyThatIsAsStrictWhereBothMatch) {
  EXPECT_EQ(problem({policy("hospital/**", {"fra"}), policy("**/x")}), "none");
  EXPECT_EQ(problem({policy("**/x", {"fra"}), policy("hospital/**", {"iad", "fra"})}), "none");
  EXPECT_EQ(problem({policy("**/x"), policy("hospital/**", {"sin", "iad", "fra"})}), "none");
}

TEST(PolicyOrder, TakesAPolicyForWhatBothMatchBeforeBoth) {
  EXPECT_THAT(problem({policy("**/x", {"fra", "iad"}), policy("hospital/**", {"fra", "sin"})}),
              HasSubstr("which allows iad, too"));
  EXPECT_EQ(problem({policy("hospital/**/x", {"fra"}),
                     policy("**/x", {"fra", "iad"}),
                     policy("hospital/**", {"fra", "sin"})}),
            "none");
}

TEST(PolicyOrder, RefusesWhatItCannotCompare) {
  EXPECT_THAT(problem({policy("a/**"), policy("**/b", {"fra"})}, 3), HasSubstr("too intricate"));
  EXPECT_THAT(problem({policy("a/**"), policy("**/b", {"fra"})}, 7), HasSubstr("too intricate"));
  std::vector<PolicyConfig> many;
  for (int i = 0; i < 200; ++i) {
    many.push_back(policy("tenant-" + std::to_string(i) + "/**", {"fra"}));
    EXPECT_EQ(problem(many), "none");
  }
}

}  // namespace
}  // namespace godwit::gateway
