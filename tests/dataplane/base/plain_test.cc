// What others named cannot steer the terminal.
#include "dataplane/base/plain.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Plain, HasNoControlCharacters) {
  EXPECT_EQ(plain("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(plain("Zürich"), "Zürich");
}

}  // namespace
}  // namespace godwit
