// What the reader of tables says of a file's words.
#include "api/gateway/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

namespace godwit::gateway {
namespace {

using ::testing::HasSubstr;

TEST(TomlReader, SaysAWordOfTheFileWithoutItsControlCharacters) {
  const toml::table file = toml::parse("colour = \"red\\u001b[2J\\nand \\u007fé\"\n");
  Problems problems("f.toml");
  TableReader reader(file, "[self]", problems);
  reader.choice("colour", "blue", {"blue"});
  EXPECT_EQ(problems.text(), "f.toml:1:10: [self] colour: \"red?[2J?and ?é\" is not one of: blue");
}

TEST(TomlReader, ShowsATableToWhoWroteSomethingElse) {
  const toml::table file = toml::parse("significance = 0.01\n");
  Problems problems("f.toml");
  TableReader reader(file, "[[policies]]", problems);
  EXPECT_EQ(reader.table("significance", "{ threshold = 0.01 }"), nullptr);
  EXPECT_THAT(problems.text(), HasSubstr("significance: must be a table: { threshold = 0.01 }"));
}

}  // namespace
}  // namespace godwit::gateway
