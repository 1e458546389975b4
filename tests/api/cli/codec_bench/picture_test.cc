// The picture stands on its own; bench_codec_test.py reads it with a strict parser.
#include "api/cli/codec_bench/picture.h"

#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::codec_bench {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// 8,000 values, so that bytes are thousandths of bits.
Comparison some() {
  Comparison comparison;
  comparison.rows = {{.subject = Subject::kBpc, .bytes = 100, .error = 0.9},
                     {.subject = Subject::kBpc, .bytes = 1000, .error = 0.5},
                     {.subject = Subject::kBpc, .is_target = true, .bytes = 6000, .error = 0.01},
                     {.subject = Subject::kSparseList, .bytes = 50, .error = 0.95},
                     {.subject = Subject::kQ4, .bytes = 4000, .error = 0.1},
                     {.subject = Subject::kRaw, .bytes = 40'000, .error = 1e-9},
                     {.subject = Subject::kXh, .bytes = 26'000, .error = 0}};
  return comparison;
}

std::vector<std::pair<double, double>> curve(const std::string& svg, const std::string& name) {
  std::smatch found;
  const std::regex line("<polyline class=\"" + name + "\"[^>]* points=\"([^\"]*)\"");
  std::vector<std::pair<double, double>> points;
  if (std::regex_search(svg, found, line)) {
    const std::string text = found[1];
    const std::regex point("([0-9.]+),([0-9.]+)");
    for (std::sregex_iterator it(text.begin(), text.end(), point), end; it != end; ++it) {
      points.emplace_back(std::atof((*it)[1].str().c_str()), std::atof((*it)[2].str().c_str()));
    }
  }
  return points;
}

TEST(Picture, CurvesFallFromLeftToRightOnLogarithmicAxes) {
  const std::string svg =
      picture(some(), {.title = "t", .subtitle = "s", .values = 8000, .error = 0.01});
  const auto bpc = curve(svg, "BPC");
  ASSERT_EQ(bpc.size(), 3U);
  EXPECT_EQ(curve(svg, "SL").size(), 1U);
  for (std::size_t i = 1; i < bpc.size(); ++i) {
    EXPECT_GT(bpc[i].first, bpc[i - 1].first);
    EXPECT_GT(bpc[i].second, bpc[i - 1].second);
  }
  // 0.1, 1 and 6 bits: a decade, and 0.778 of one. 90, 50 and 1 %: 0.255 and 1.699 decades.
  EXPECT_NEAR((bpc[2].first - bpc[1].first) / (bpc[1].first - bpc[0].first), 0.778, 0.005);
  EXPECT_NEAR(
      (bpc[1].second - bpc[0].second) / (bpc[2].second - bpc[1].second), 0.255 / 1.699, 0.005);
}

TEST(Picture, SaysWhatItShowsAndInWhichUnits) {
  const std::string svg = picture(
      some(), {.title = "a<b>.npy", .subtitle = "the finding", .values = 8000, .error = 0.01});
  EXPECT_THAT(svg,
              AllOf(HasSubstr("a&lt;b&gt;.npy"),
                    HasSubstr("the finding"),
                    HasSubstr("bits per value (logarithmic)"),
                    HasSubstr("relative L2 error (logarithmic)"),
                    HasSubstr("6 bits at 1 %"),
                    HasSubstr(">fp32<"),
                    HasSubstr("fill=\"#ffffff\"")));
  for (const char* name : {"BPC", "SL", "Q4", "RAW", "XH"}) {
    EXPECT_THAT(svg, HasSubstr(std::string("font-weight=\"600\">") + name + "<"));
  }
  EXPECT_THAT(svg, Not(HasSubstr("Q8")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf\"")));
}

TEST(Picture, WithoutRowsThereAreAxes) {
  const std::string svg = picture({}, {.title = "t", .subtitle = "s", .values = 0, .error = 0.01});
  EXPECT_THAT(svg, AllOf(HasSubstr("nothing to draw"), HasSubstr("bits per value")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace godwit::codec_bench
