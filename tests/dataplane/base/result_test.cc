#include "dataplane/base/result.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

namespace godwit {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) {
    return fail(Code::kInvalid, "{} is odd", n);
  }
  return n / 2;
}

Result<void> nothing(bool works) {
  if (!works) {
    return fail(Code::kIo, "no");
  }
  return {};
}

TEST(Result, HoldsTheValueOrTheReason) {
  EXPECT_EQ(half(8).value(), 4);

  const auto failed = half(7);

  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kInvalid);
  EXPECT_EQ(failed.error().message, "7 is odd");
}

TEST(Result, MayHoldNoValueAtAll) {
  EXPECT_TRUE(nothing(true).has_value());
  EXPECT_EQ(nothing(false).error().code, Code::kIo);
}

TEST(Result, AFailurePassesThroughToAnotherType) {
  const auto outer = [](int n) -> Result<std::string> {
    const auto inner = half(n);
    if (!inner) {
      return Failure(inner.error());
    }
    return std::to_string(*inner);
  };

  EXPECT_EQ(outer(4).value(), "2");
  EXPECT_EQ(outer(5).error().message, "5 is odd");
}

TEST(ErrorText, SaysWhatTheOperatingSystemSays) {
  EXPECT_EQ(error_text(ENOENT), "No such file or directory");
}

TEST(Code, ValuesAndNamesAreForEver) {
  const struct {
    Code code;
    int value;
    const char* name;
  } expected[] = {
      {Code::kOk, 0, "ok"},
      {Code::kInvalid, 1, "invalid"},
      {Code::kRefused, 2, "refused"},
      {Code::kFull, 3, "full"},
      {Code::kNotFound, 4, "not_found"},
      {Code::kCorrupt, 5, "corrupt"},
      {Code::kIo, 6, "io"},
      {Code::kTimeout, 7, "timeout"},
      {Code::kClosed, 8, "closed"},
      {Code::kUnsupported, 9, "unsupported"},
      {Code::kDuplicate, 10, "duplicate"},
  };
  for (const auto& [code, value, name] : expected) {
    EXPECT_EQ(static_cast<int>(code), value);
    EXPECT_EQ(to_string(code), name);
  }
  EXPECT_EQ(to_string(static_cast<Code>(200)), "unknown");
}

}  // namespace
}  // namespace godwit
