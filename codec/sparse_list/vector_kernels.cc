#include "codec/sparse_list/vector_kernels.h"

#include <bit>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/sparse_list/vector_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::sparse_list::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR std::size_t positions_of(std::span<const std::int64_t> values,
                                  std::uint64_t least,
                                  std::uint16_t* positions) {
  const hn::ScalableTag<std::int64_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto below = hn::Set(d, static_cast<std::int64_t>(least) - 1);
  std::size_t count = 0;
  const auto add = [&](std::size_t first, std::uint64_t mask) {
    for (; mask != 0; mask &= mask - 1) {
      positions[count++] =
          static_cast<std::uint16_t>(first + static_cast<std::size_t>(std::countr_zero(mask)));
    }
  };
  std::size_t i = 0;
  for (; i + 64 <= values.size(); i += 64) {
    std::uint64_t mask = 0;
    for (std::size_t j = 0; j < 64; j += lanes) {
      const auto size = hn::Abs(hn::LoadU(d, values.data() + i + j));
      std::uint64_t part = 0;
      hn::StoreMaskBits(d, hn::Gt(size, below), reinterpret_cast<std::uint8_t*>(&part));
      mask |= part << j;
    }
    add(i, mask);
  }
  for (; i < values.size(); ++i) {
    const std::int64_t size = values[i] < 0 ? -values[i] : values[i];
    add(i, size >= static_cast<std::int64_t>(least) ? 1 : 0);
  }
  return count;
}

}  // namespace godwit::codec::sparse_list::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::sparse_list {

HWY_EXPORT(positions_of);

std::size_t positions_of(std::span<const std::int64_t> values,
                         std::uint64_t least,
                         std::uint16_t* positions) {
  return HWY_DYNAMIC_DISPATCH(positions_of)(values, least, positions);
}

}  // namespace godwit::codec::sparse_list
#endif  // HWY_ONCE
