#include "codec/row/vector_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/row/vector_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::row::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR void bits_above(std::span<const std::int64_t> values,
                         std::uint64_t floor,
                         std::uint64_t* words) {
  const hn::ScalableTag<std::int64_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto most = hn::Set(d, static_cast<std::int64_t>(floor));
  std::size_t word = 0;
  for (; (word + 1) * 64 <= values.size(); ++word) {
    std::uint64_t all = 0;
    for (std::size_t j = 0; j < 64; j += lanes) {
      const auto size = hn::Abs(hn::LoadU(d, values.data() + word * 64 + j));
      std::uint64_t part = 0;
      hn::StoreMaskBits(d, hn::Gt(size, most), reinterpret_cast<std::uint8_t*>(&part));
      all |= part << j;
    }
    words[word] = all;
  }
  if (word * 64 < values.size()) {
    words[word] = 0;
  }
  for (std::size_t i = word * 64; i < values.size(); ++i) {
    const std::int64_t size = values[i] < 0 ? -values[i] : values[i];
    words[word] |= std::uint64_t{size > static_cast<std::int64_t>(floor)} << (i % 64);
  }
}

}  // namespace godwit::codec::row::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::row {

HWY_EXPORT(bits_above);

void bits_above(std::span<const std::int64_t> values, std::uint64_t floor, std::uint64_t* words) {
  HWY_DYNAMIC_DISPATCH(bits_above)(values, floor, words);
}

}  // namespace godwit::codec::row
#endif  // HWY_ONCE
