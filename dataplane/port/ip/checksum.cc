#include "dataplane/port/ip/checksum.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dataplane/port/ip/checksum.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::port::ip::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // which has no vectors of bytes

Sum sum_of(const std::byte* from, std::size_t bytes) {
  return detail::sum_of_scalar({from, bytes});
}

Sum copy_and_sum(const std::byte* from, std::size_t bytes, std::byte* to) {
  std::memcpy(to, from, bytes);
  return detail::sum_of_scalar({from, bytes});
}

#else

constexpr auto kOnesBetweenZeros = [] {
  std::array<std::uint8_t, 3 * kVectorBytesMax> bytes{};
  std::fill_n(bytes.begin() + kVectorBytesMax, kVectorBytesMax, std::uint8_t{0xff});
  return bytes;
}();

// Of 64-bit lanes, `all` adds whole ones and loses carries, `high` their upper halves: the lower
// ones are what is left, and 2^32 of either fit.
//
//     ├ head ┤├──── whole vectors ────┤├ rest ┤
//     [  first vector  ]   [   last vector    ]
//
// Whole vectors lie on the lines of the cache: one that crosses a line costs twice. Of the first
// and the last vector only head and rest are added; a copy writes all of both. `bytes`:
// kVectorBytesMax or more.
template <bool kCopies>
Sum pass(const std::uint8_t* from, std::size_t bytes, std::uint8_t* to) {
  const hn::CappedTag<std::uint64_t, kVectorBytesMax / sizeof(std::uint64_t)> tag;
  const hn::Repartition<std::uint8_t, decltype(tag)> byte_tag;
  const std::size_t step = hn::Lanes(byte_tag);
  const auto take = [&](std::size_t at) {
    const auto vector = hn::LoadU(byte_tag, from + at);
    if constexpr (kCopies) {
      hn::StoreU(vector, byte_tag, to + at);
    }
    return hn::BitCast(tag, vector);
  };
  const auto mask = [&](std::size_t at) {
    return hn::BitCast(tag, hn::LoadU(byte_tag, kOnesBetweenZeros.data() + at));
  };
  const std::size_t even = bytes & ~std::size_t{1};
  // Words stay words; at an odd address every vector crosses a line.
  const std::size_t misplaced = -reinterpret_cast<std::uintptr_t>(kCopies ? to : from) % step;
  std::size_t at = misplaced % 2 == 0 ? misplaced : 0;
  auto all = hn::And(take(0), mask(2 * kVectorBytesMax - at));
  auto high = hn::ShiftRight<32>(all);
  for (; at + 2 * step <= even; at += 2 * step) {
    const auto a = take(at);
    const auto b = take(at + step);
    all = hn::Add(all, hn::Add(a, b));
    high = hn::Add(high, hn::Add(hn::ShiftRight<32>(a), hn::ShiftRight<32>(b)));
  }
  if (at + step <= even) {
    const auto a = take(at);
    all = hn::Add(all, a);
    high = hn::Add(high, hn::ShiftRight<32>(a));
    at += step;
  }
  const auto rest = hn::And(take(even - step), mask(kVectorBytesMax - step + even - at));
  all = hn::Add(all, rest);
  high = hn::Add(high, hn::ShiftRight<32>(rest));
  const auto low = hn::Sub(all, hn::ShiftLeft<32>(high));
  Sum sum = hn::GetLane(hn::SumOfLanes(tag, hn::Add(low, high)));
  if (even < bytes) {
    if constexpr (kCopies) {
      to[even] = from[even];
    }
    sum += detail::sum_of_scalar(std::as_bytes(std::span(from + even, 1)));
  }
  return sum;
}

Sum sum_of(const std::byte* from, std::size_t bytes) {
  return pass<false>(reinterpret_cast<const std::uint8_t*>(from), bytes, nullptr);
}

Sum copy_and_sum(const std::byte* from, std::size_t bytes, std::byte* to) {
  return pass<true>(
      reinterpret_cast<const std::uint8_t*>(from), bytes, reinterpret_cast<std::uint8_t*>(to));
}

#endif

}  // namespace
}  // namespace godwit::port::ip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::port::ip::detail {

HWY_EXPORT(sum_of);
HWY_EXPORT(copy_and_sum);

Sum sum_of_vector(std::span<const std::byte> bytes) {
  return HWY_DYNAMIC_DISPATCH(sum_of)(bytes.data(), bytes.size());
}

Sum copy_and_sum_vector(std::span<const std::byte> from, std::byte* to) {
  return HWY_DYNAMIC_DISPATCH(copy_and_sum)(from.data(), from.size(), to);
}

}  // namespace godwit::port::ip::detail
#endif  // HWY_ONCE
