// Runs a test once per instruction set that the machine and the build have.
#pragma once

#include <cctype>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace godwit::codec::testing {

// Highway's bits of the targets that the codec is compiled for and this processor supports.
inline std::vector<std::int64_t> targets() {
  std::vector<std::int64_t> result;
  for (const std::int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_EMU128}) {
    if ((hwy::SupportedTargets() & target) != 0) {
      result.push_back(target);
    }
  }
  return result;
}

// Makes every dynamic dispatch choose `target` from now on; 0 is what the processor supports.
inline void choose(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// Makes every dynamic dispatch choose GetParam() while a test runs.
class OnEveryTarget : public ::testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { testing::choose(GetParam()); }
  void TearDown() override { testing::choose(0); }
};

inline std::string target_name(const ::testing::TestParamInfo<std::int64_t>& info) {
  std::string name = hwy::TargetName(info.param);
  for (auto& letter : name) {
    letter = std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  }
  return name;
}

}  // namespace godwit::codec::testing
