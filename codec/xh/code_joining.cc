#include "codec/xh/code_joining.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/xh/code_joining.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::xh::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // whose lanes hold one byte

HWY_ATTR void join_codes(const CodeTables& tables,
                         const std::uint8_t* bytes,
                         std::uint64_t* strings,
                         std::uint32_t* lengths) {
  for (std::size_t i = 0; i < kJoinedStrings; ++i) {
    strings[i] = 0;
    lengths[i] = 0;
    for (std::size_t at = 4 * i; at < 4 * i + 4; ++at) {
      const std::uint8_t byte = bytes[at];
      strings[i] |= tables.code_of(byte) << lengths[i];
      lengths[i] += tables.length[byte];
    }
  }
}

#else

// Four bytes stand in each 32-bit lane, the first one lowest; so do their codes' parts.
HWY_ATTR void join_codes(const CodeTables& tables,
                         const std::uint8_t* bytes,
                         std::uint64_t* strings,
                         std::uint32_t* lengths) {
  const hn::ScalableTag<std::uint8_t> db;
  const hn::Repartition<std::uint16_t, decltype(db)> d2;
  const hn::Repartition<std::uint32_t, decltype(db)> d4;
  const hn::Repartition<std::uint64_t, decltype(db)> d8;
  const hn::Half<decltype(d4)> d4_half;
  const std::size_t lanes = hn::Lanes(db);
  const auto low_bytes = hn::Set(d2, 0x00ff);
  const auto high_bytes = hn::Set(d2, 0xff00);
  const auto low_half = hn::Set(d4, 0x0000ffff);
  for (std::size_t i = 0; i < kJoinedBytes; i += lanes) {
    const auto symbols = hn::LoadU(db, bytes + i);
    auto low = hn::Zero(db);
    auto high = hn::Zero(db);
    auto length = hn::Zero(db);
    for (std::size_t r = 0; r < tables.row_count; ++r) {
      const std::size_t first = std::size_t{tables.rows[r]} * 16;
      // A byte of another row gets its highest bit set, which looks up 0.
      const auto in_row =
          hn::Xor(hn::SaturatedAdd(hn::Sub(symbols, hn::Set(db, static_cast<std::uint8_t>(first))),
                                   hn::Set(db, 0x70)),
                  hn::Set(db, 0x70));
      const auto look_up = [&](const std::uint8_t* table) HWY_ATTR {
        return hn::TableLookupBytesOr0(hn::LoadDup128(db, table + first), in_row);
      };
      low = hn::Or(low, look_up(tables.low.data()));
      high = hn::Or(high, look_up(tables.high.data()));
      length = hn::Or(length, look_up(tables.length.data()));
    }
    const auto low2 = hn::BitCast(d2, low);
    const auto high2 = hn::BitCast(d2, high);
    const auto length2 = hn::BitCast(d2, length);
    // In each half of a lane: the code of its first byte, the code of its second.
    const auto even = hn::BitCast(d4, hn::Or(hn::And(low2, low_bytes), hn::ShiftLeft<8>(high2)));
    const auto odd = hn::BitCast(d4, hn::Or(hn::ShiftRight<8>(low2), hn::And(high2, high_bytes)));
    const auto even_length = hn::And(length2, low_bytes);
    const auto pair_length = hn::BitCast(d4, hn::Add(even_length, hn::ShiftRight<8>(length2)));
    const auto even_length4 = hn::BitCast(d4, even_length);
    const auto first_pair = hn::Or(
        hn::And(even, low_half), hn::Shl(hn::And(odd, low_half), hn::And(even_length4, low_half)));
    const auto second_pair =
        hn::Or(hn::ShiftRight<16>(even),
               hn::Shl(hn::ShiftRight<16>(odd), hn::ShiftRight<16>(even_length4)));
    const auto first_length = hn::And(pair_length, low_half);
    const auto store_strings = [&](auto half_of, std::uint64_t* to) HWY_ATTR {
      const auto first = hn::PromoteTo(d8, half_of(first_pair));
      const auto second = hn::PromoteTo(d8, half_of(second_pair));
      hn::StoreU(hn::Or(first, hn::Shl(second, hn::PromoteTo(d8, half_of(first_length)))), d8, to);
    };
    store_strings([&](auto v) HWY_ATTR { return hn::LowerHalf(d4_half, v); }, strings + i / 4);
    store_strings([&](auto v) HWY_ATTR { return hn::UpperHalf(d4_half, v); },
                  strings + i / 4 + hn::Lanes(d8));
    hn::StoreU(hn::Add(first_length, hn::ShiftRight<16>(pair_length)), d4, lengths + i / 4);
  }
}

#endif

}  // namespace godwit::codec::xh::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::xh {

HWY_EXPORT(join_codes);

void join_codes(const CodeTables& tables,
                const std::uint8_t* bytes,
                std::uint64_t* strings,
                std::uint32_t* lengths) {
  HWY_DYNAMIC_DISPATCH(join_codes)(tables, bytes, strings, lengths);
}

}  // namespace godwit::codec::xh
#endif  // HWY_ONCE
