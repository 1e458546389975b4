#include "dataplane/port/ip/checksum.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dataplane/port/ip/checksum.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::port::ip::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // which has no vectors of bytes

Sum SumOf(const std::byte* at, std::size_t bytes) {
  return detail::sum_of_scalar({at, bytes});
}

#else

// Adds both halves of 64-bit lanes apart: 2^32 additions fit before a lane overflows.
Sum SumOf(const std::byte* at, std::size_t bytes) {
  const hn::ScalableTag<std::uint64_t> tag;
  const hn::Repartition<std::uint8_t, decltype(tag)> byte_tag;
  const std::size_t step = hn::Lanes(byte_tag);
  const auto load = [&](const std::uint8_t* from) {
    return hn::BitCast(tag, hn::LoadU(byte_tag, from));
  };
  const auto low_half = hn::Set(tag, 0xffffffffU);
  auto low_a = hn::Zero(tag);
  auto low_b = hn::Zero(tag);
  auto high_a = hn::Zero(tag);
  auto high_b = hn::Zero(tag);
  const auto* octets = reinterpret_cast<const std::uint8_t*>(at);
  std::size_t left = bytes;
  for (; left >= 2 * step; left -= 2 * step, octets += 2 * step) {
    const auto a = load(octets);
    const auto b = load(octets + step);
    low_a = hn::Add(low_a, hn::And(a, low_half));
    low_b = hn::Add(low_b, hn::And(b, low_half));
    high_a = hn::Add(high_a, hn::ShiftRight<32>(a));
    high_b = hn::Add(high_b, hn::ShiftRight<32>(b));
  }
  const auto all = hn::Add(hn::Add(low_a, low_b), hn::Add(high_a, high_b));
  const Sum sum = hn::GetLane(hn::SumOfLanes(tag, all));
  return sum + detail::sum_of_scalar({at + (bytes - left), left});
}

#endif

}  // namespace
}  // namespace godwit::port::ip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::port::ip::detail {

HWY_EXPORT(SumOf);

Sum sum_of_vector(std::span<const std::byte> bytes) {
  return HWY_DYNAMIC_DISPATCH(SumOf)(bytes.data(), bytes.size());
}

Sum sum_of_scalar(std::span<const std::byte> bytes) {
  Sum sum = 0;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof(std::uint32_t); left -= sizeof(std::uint32_t)) {
    std::uint32_t words = 0;  // two words; the upper one is folded down later
    std::memcpy(&words, at, sizeof(words));
    sum += words;
    at += sizeof(words);
  }
  if (left > 0) {
    std::uint32_t words = 0;
    std::memcpy(&words, at, left);
    sum += words;
  }
  return sum;
}

}  // namespace godwit::port::ip::detail
#endif  // HWY_ONCE
