#include "codec/bpc/bit_passes.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/bpc/bit_passes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "codec/bpc/bit_passes-inl.h"

#if HWY_ONCE
namespace godwit::codec::bpc {

HWY_EXPORT(Passes);

void Maps::reset(std::size_t elements) {
  significant.fill(0);
  significant_count.fill(0);
  fresh_count.fill(0);
  for (std::size_t word = 0; word < kWords; ++word) {
    pending[word] = word < words_of(elements) ? valid_bits(word, elements) : 0;
  }
}

const BitPasses& portable_bit_passes() {
  return *HWY_STATIC_DISPATCH(Passes)();
}

const BitPasses& bit_passes() {
  // AMD's family 17h has PEXT and PDEP in microcode, 18 to 289 cycles each (Fog, "Instruction
  // tables"): there the loop is better.
#if defined(__x86_64__)
  static const bool kSlow = __builtin_cpu_is("znver1") != 0 || __builtin_cpu_is("znver2") != 0;
#else
  static const bool kSlow = false;
#endif
  return kSlow ? portable_bit_passes() : *HWY_DYNAMIC_DISPATCH(Passes)();
}

}  // namespace godwit::codec::bpc
#endif  // HWY_ONCE
