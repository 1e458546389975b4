// Sums of squares that are the same on every instruction set; included once for each of them.
//
// Eight sums go side by side whatever a vector holds, without fused operations, and are added in
// one order at the end.
#if defined(GODWIT_CODEC_SIMD_SQUARES) == defined(HWY_TARGET_TOGGLE)
#ifdef GODWIT_CODEC_SIMD_SQUARES
#undef GODWIT_CODEC_SIMD_SQUARES
#else
#define GODWIT_CODEC_SIMD_SQUARES
#endif

#include <array>
#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::HWY_NAMESPACE {

// Of integers, as doubles: the relative error is below 1e-12.
class Squares {
 public:
  static constexpr std::size_t kSums = 8;
  using Real = hwy::HWY_NAMESPACE::CappedTag<double, kSums>;
  using Signed = hwy::HWY_NAMESPACE::RebindToSigned<Real>;
  static constexpr std::size_t kVectors = kSums / hwy::HWY_NAMESPACE::MaxLanes(Real());

  HWY_INLINE Squares() {
    for (auto& sum : sums_) {
      sum = hwy::HWY_NAMESPACE::Zero(Real());
    }
  }

  // `at` of kVectors that follow one another.
  HWY_INLINE void add(std::size_t at, hwy::HWY_NAMESPACE::Vec<Signed> values) {
    const auto real = hwy::HWY_NAMESPACE::ConvertTo(Real(), values);
    sums_[at] = hwy::HWY_NAMESPACE::Add(sums_[at], hwy::HWY_NAMESPACE::Mul(real, real));
  }

  HWY_INLINE double sum() const {
    alignas(64) std::array<double, kSums> all{};
    for (std::size_t at = 0; at < kVectors; ++at) {
      hwy::HWY_NAMESPACE::Store(sums_[at], Real(), all.data() + at * (kSums / kVectors));
    }
    return ((all[0] + all[4]) + (all[2] + all[6])) + ((all[1] + all[5]) + (all[3] + all[7]));
  }

 private:
  hwy::HWY_NAMESPACE::Vec<Real> sums_[kVectors];
};

}  // namespace godwit::codec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
