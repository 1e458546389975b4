#include "dataplane/base/log.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit {
namespace {

using testing::HasSubstr;
using testing::Not;

// What `run` writes to standard error.
template <class Run>
std::string written_by(Run run) {
  testing::internal::CaptureStderr();
  run();
  return testing::internal::GetCapturedStderr();
}

class Log : public testing::Test {
 protected:
  ~Log() override { log::set_level(log::Level::kInfo); }
};

TEST_F(Log, WritesOneLineWithNameLevelAndText) {
  log::set_name("fra");

  const std::string line = written_by([] { log::warn("link to {} is down", "sin"); });

  EXPECT_THAT(line, HasSubstr("fra: link to sin is down"));
  EXPECT_THAT(line, HasSubstr(" W "));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST_F(Log, WritesNothingBelowItsLevel) {
  EXPECT_EQ(written_by([] { log::debug("quiet"); }), "");
  log::set_level(log::Level::kError);
  EXPECT_EQ(written_by([] {
              log::info("quiet");
              log::warn("quiet");
            }),
            "");
  EXPECT_THAT(written_by([] { log::error("loud"); }), HasSubstr("loud"));
  log::set_level(log::Level::kOff);
  EXPECT_THAT(written_by([] { log::error("quiet"); }), Not(HasSubstr("quiet")));
}

TEST_F(Log, TextFromOutsideIsNotAFormat) {
  EXPECT_THAT(written_by([] { log::write(log::Level::kInfo, "{} %n %s"); }), HasSubstr("{} %n %s"));
}

}  // namespace
}  // namespace godwit
