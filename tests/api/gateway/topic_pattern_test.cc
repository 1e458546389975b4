#include "api/gateway/topic_pattern.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

TEST(TopicPattern, MatchesByParts) {
  struct Row {
    std::string_view pattern;
    std::string_view topic;
    bool matches;
  };
  for (const Row& row :
       {Row{"a", "a", true},         Row{"a", "b", false},       Row{"a", "a/b", false},
        Row{"*", "a", true},         Row{"*", "a/b", false},     Row{"a/*", "a/b", true},
        Row{"a/*", "a", false},      Row{"a/*", "a/b/c", false}, Row{"**", "a", true},
        Row{"**", "a/b/c", true},    Row{"a/**", "a", true},     Row{"a/**", "a/b/c", true},
        Row{"a/**", "b/a", false},   Row{"**/c", "c", true},     Row{"**/c", "a/b/c", true},
        Row{"**/c", "a/b", false},   Row{"a/**/c", "a/c", true}, Row{"a/**/c", "a/x/y/c", true},
        Row{"a/**/c", "a/x", false}, Row{"*/b", "a/b", true},    Row{"*/b", "b", false},
        Row{"a*", "ab", false},      Row{"a/**/**", "a", true},  Row{"**/**/a", "a", true}}) {
    EXPECT_EQ(topic_matches(row.pattern, row.topic), row.matches)
        << row.pattern << " and " << row.topic;
  }
}

TEST(TopicPattern, ConsistsOfWholePartsThatATopicMayHave) {
  for (const std::string_view good : {"a", "*", "**", "a/*/b", "**/a/**", "a.b/-_ ~/..."}) {
    EXPECT_TRUE(pattern_is_valid(good)) << good;
  }
  for (const std::string_view bad :
       {"", "/", "/a", "a/", "a//b", "***", "a*", "a/b**c", "./a", "a/..", "a\nb", "\x80"}) {
    EXPECT_FALSE(pattern_is_valid(bad)) << bad;
  }
  EXPECT_TRUE(pattern_is_valid(std::string(255, 'a')));
  EXPECT_FALSE(pattern_is_valid(std::string(256, 'a')));
}

TEST(TopicPattern, IsMatchedInTimeHoweverManyWildcardsItHas) {
  std::string pattern;
  std::string topic;
  for (int i = 0; i < 50; ++i) {
    pattern += "**/a/";
    topic += "a/a/";
  }
  EXPECT_FALSE(topic_matches(pattern + "b", topic + "a"));  // by trying all: more than 2^50 steps
  EXPECT_TRUE(topic_matches(pattern + "b", topic + "b"));
}

std::vector<TopicPattern> patterns(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// The topic that is found, or "-".
std::string found(const std::vector<std::string>& all, const std::vector<std::string>& none = {}) {
  std::size_t steps = 100'000;
  const auto topic = find_topic(patterns(all), patterns(none), steps);
  EXPECT_TRUE(topic.has_value());
  return topic && *topic ? **topic : "-";
}

TEST(TopicPattern, FindsAShortestTopicThatAllMatch) {
  EXPECT_EQ(found({"**"}), "x");
  EXPECT_EQ(found({"x/*"}), "x/x");
  EXPECT_EQ(found({"a/**", "**/b"}), "a/b");
  EXPECT_EQ(found({"a/**", "**/a"}), "a");
  EXPECT_EQ(found({"a/*", "*/b/**"}), "a/b");
  EXPECT_EQ(found({"a/*", "b/*"}), "-");
  EXPECT_EQ(found({"a/*", "a"}), "-");
  EXPECT_EQ(found({"a/**/b/**", "**/c/**/d", "*/*/*/*/*"}).size(), 9U);
}

TEST(TopicPattern, FindsATopicThatNoneOfTheOthersMatches) {
  EXPECT_EQ(found({"**"}, {"x/**"}), "xx");
  EXPECT_EQ(found({"a/**"}, {"a"}), "a/a");
  EXPECT_EQ(found({"a/**"}, {"a", "a/*"}), "a/a/a");
  EXPECT_EQ(found({"a/**"}, {"a", "a/*/**"}), "-");
  EXPECT_EQ(found({"a/*"}, {"**"}), "-");
  EXPECT_EQ(found({"a/**"}, {"a/**"}), "-");
  EXPECT_EQ(found({"x/**/x"}, {"**/x/*/**"}), "-");
  EXPECT_EQ(found({"**"}, {"*/**"}), "-") << "a topic has a part";
  EXPECT_EQ(found({"*/**"}, {"*/*", "*"}), "x/x/x");
}

TEST(TopicPattern, GivesUpWhenItsStepsAreUsed) {
  std::size_t steps = 4;
  const auto topic = find_topic(patterns({"*/*/*/*/*"}), patterns({"a"}), steps);
  ASSERT_FALSE(topic.has_value());
  EXPECT_EQ(topic.error().code, Code::kFull);
  EXPECT_EQ(steps, 0U);
}

}  // namespace
}  // namespace godwit::gateway
