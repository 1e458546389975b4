#include "codec/xh/planes.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/xh/planes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::xh::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// ---- words

template <class V>
HWY_INLINE V zigzag(V value) {
  return hn::Xor(hn::Add(value, value), hn::BroadcastSignBit(value));
}
template <class D, class V>
HWY_INLINE V back_from_zigzag(D d, V word) {
  const hn::RebindToUnsigned<D> du;
  const auto half = hn::BitCast(d, hn::ShiftRight<1>(hn::BitCast(du, word)));
  return hn::Xor(half, hn::Neg(hn::And(word, hn::Set(d, 1))));
}

// Floats in the order of their values, as two's complement; its own inverse.
template <class D, class V>
HWY_INLINE V ordered(D d, V bits) {
  const hn::RebindToUnsigned<D> du;
  const auto sign = hn::BroadcastSignBit(bits);
  return hn::Xor(bits, hn::BitCast(d, hn::ShiftRight<1>(hn::BitCast(du, sign))));
}

// What an element's bits become: kFloat without a base sends the sign to the lowest bit, so that
// the highest byte is an exponent; all others are signed integers or differences of such.
template <bool kFloat, bool kBase>
struct Words {
  template <class D, class V>
  static HWY_INLINE V from_value(D d, V value, V base) {
    if constexpr (kFloat && !kBase) {
      const hn::RebindToUnsigned<D> du;
      constexpr int kSign = sizeof(hn::TFromD<D>) * 8 - 1;
      return hn::Or(hn::Add(value, value),
                    hn::BitCast(d, hn::ShiftRight<kSign>(hn::BitCast(du, value))));
    } else if constexpr (kFloat) {
      return zigzag(hn::Sub(ordered(d, value), ordered(d, base)));
    } else {
      return zigzag(kBase ? hn::Sub(value, base) : value);
    }
  }

  template <class D, class V>
  static HWY_INLINE V to_value(D d, V word, V base) {
    if constexpr (kFloat && !kBase) {
      const hn::RebindToUnsigned<D> du;
      constexpr int kSign = sizeof(hn::TFromD<D>) * 8 - 1;
      return hn::Or(hn::BitCast(d, hn::ShiftRight<1>(hn::BitCast(du, word))),
                    hn::ShiftLeft<kSign>(word));
    } else if constexpr (kFloat) {
      return ordered(d, hn::Add(back_from_zigzag(d, word), ordered(d, base)));
    } else {
      const V value = back_from_zigzag(d, word);
      return kBase ? hn::Add(value, base) : value;
    }
  }
};

// ---- bytes of words

template <class D, class V>
HWY_INLINE void store_bytes(D /*d*/, V word, std::size_t at, const Planes& planes) {
  using Word = hwy::MakeUnsigned<hn::TFromD<D>>;
  const hn::Rebind<Word, D> du;
  const hn::Rebind<std::uint8_t, D> db;
  auto rest = hn::BitCast(du, word);
  if constexpr (sizeof(Word) == 1) {
    hn::StoreU(rest, db, planes[0] + at);
  } else {
    for (std::size_t p = 0; p < sizeof(Word); ++p) {
      hn::StoreU(hn::TruncateTo(db, rest), db, planes[p] + at);
      rest = hn::ShiftRight<8>(rest);
    }
  }
}

// Bytes as words; from eight bits to 64 there is no single step.
template <class D, class V>
HWY_INLINE auto promoted(D du, V bytes) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::PromoteTo(du, hn::PromoteTo(hn::Rebind<std::uint32_t, D>(), bytes));
  } else {
    return hn::PromoteTo(du, bytes);
  }
}

template <class D>
HWY_INLINE hn::VFromD<D> load_bytes(D d, std::size_t at, const Planes& planes) {
  using Word = hwy::MakeUnsigned<hn::TFromD<D>>;
  const hn::Rebind<Word, D> du;
  const hn::Rebind<std::uint8_t, D> db;
  if constexpr (sizeof(Word) == 1) {
    return hn::BitCast(d, hn::LoadU(db, planes[0] + at));
  } else {
    auto word = hn::Zero(du);
    for (std::size_t p = sizeof(Word); p-- > 0;) {
      word = hn::Or(hn::ShiftLeft<8>(word), promoted(du, hn::LoadU(db, planes[p] + at)));
    }
    return hn::BitCast(d, word);
  }
}

// ---- loops over elements; those behind the last whole vector go through a padded one

template <class T, class Rule>
HWY_INLINE std::size_t split_all(const std::byte* values,
                                 const std::byte* base,
                                 std::size_t count,
                                 const Planes& planes) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t zeros = 0;
  const auto split_vector = [&](const T* value, const T* beside, std::size_t at) HWY_ATTR {
    const auto word = Rule::from_value(d, hn::LoadU(d, value), hn::LoadU(d, beside));
    zeros += hn::CountTrue(d, hn::Eq(word, hn::Zero(d)));
    store_bytes(d, word, at, planes);
  };
  const auto* const from = reinterpret_cast<const T*>(values);
  const auto* const beside = base != nullptr ? reinterpret_cast<const T*>(base) : from;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    split_vector(from + i, beside + i, i);
  }
  if (i < count) {
    HWY_ALIGN T padded[2][HWY_MAX_BYTES / sizeof(T)] = {};
    std::memcpy(padded[0], from + i, (count - i) * sizeof(T));
    std::memcpy(padded[1], beside + i, (count - i) * sizeof(T));
    split_vector(padded[0], padded[1], i);
    zeros -= lanes - (count - i);
  }
  return zeros;
}

template <class T, class Rule>
HWY_INLINE void join_all(const Planes& planes,
                         const std::byte* base,
                         std::size_t count,
                         std::byte* values) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  auto* const to = reinterpret_cast<T*>(values);
  const auto* const beside = base != nullptr ? reinterpret_cast<const T*>(base) : nullptr;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto word = load_bytes(d, i, planes);
    const auto other = beside != nullptr ? hn::LoadU(d, beside + i) : word;
    hn::StoreU(Rule::to_value(d, word, other), d, to + i);
  }
  if (i < count) {
    HWY_ALIGN T padded[2][HWY_MAX_BYTES / sizeof(T)] = {};
    if (beside != nullptr) {
      std::memcpy(padded[1], beside + i, (count - i) * sizeof(T));
    }
    const auto word = load_bytes(d, i, planes);
    hn::StoreU(Rule::to_value(d, word, hn::LoadU(d, padded[1])), d, padded[0]);
    std::memcpy(to + i, padded[0], (count - i) * sizeof(T));
  }
}

// Calls `action` with the element's integer and its rule.
template <class T, bool kFloat, class Action>
HWY_INLINE auto with_rule(bool against_base, Action&& action) {
  return against_base ? action(T{}, Words<kFloat, true>{}) : action(T{}, Words<kFloat, false>{});
}
template <class Action>
HWY_INLINE auto with_type(Type type, bool against_base, Action&& action) {
  switch (type) {
    case Type::kFloat32:
      return with_rule<std::int32_t, true>(against_base, action);
    case Type::kBfloat16:
    case Type::kFloat16:
      return with_rule<std::int16_t, true>(against_base, action);
    case Type::kInt8:
      return with_rule<std::int8_t, false>(against_base, action);
    case Type::kInt16:
      return with_rule<std::int16_t, false>(against_base, action);
    case Type::kInt32:
      return with_rule<std::int32_t, false>(against_base, action);
    case Type::kInt64:
      break;
  }
  return with_rule<std::int64_t, false>(against_base, action);
}

HWY_ATTR std::size_t split(Type type,
                           const std::byte* values,
                           const std::byte* base,
                           std::size_t count,
                           const Planes& planes) {
  return with_type(type, base != nullptr, [&](auto element, auto rule) HWY_ATTR {
    return split_all<decltype(element), decltype(rule)>(values, base, count, planes);
  });
}

HWY_ATTR void join(
    Type type, const Planes& planes, const std::byte* base, std::size_t count, std::byte* values) {
  with_type(type, base != nullptr, [&](auto element, auto rule) HWY_ATTR {
    join_all<decltype(element), decltype(rule)>(planes, base, count, values);
  });
}

HWY_ATTR ByteRange range_of(const std::uint8_t* bytes, std::size_t count) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  auto least = hn::Set(d, bytes[0]);
  auto greatest = least;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto some = hn::LoadU(d, bytes + i);
    least = hn::Min(least, some);
    greatest = hn::Max(greatest, some);
  }
  HWY_ALIGN std::uint8_t ends[2][HWY_MAX_BYTES];
  hn::Store(least, d, ends[0]);
  hn::Store(greatest, d, ends[1]);
  ByteRange range{*std::min_element(ends[0], ends[0] + lanes),
                  *std::max_element(ends[1], ends[1] + lanes)};
  for (; i < count; ++i) {
    range = {std::min(range.least, bytes[i]), std::max(range.greatest, bytes[i])};
  }
  return range;
}

}  // namespace godwit::codec::xh::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::xh {

HWY_EXPORT(split);
HWY_EXPORT(join);
HWY_EXPORT(range_of);

std::size_t split(Type type,
                  const std::byte* values,
                  const std::byte* base,
                  std::size_t count,
                  const Planes& planes) {
  return HWY_DYNAMIC_DISPATCH(split)(type, values, base, count, planes);
}

ByteRange range_of(const std::uint8_t* bytes, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(range_of)(bytes, count);
}

void join(
    Type type, const Planes& planes, const std::byte* base, std::size_t count, std::byte* values) {
  HWY_DYNAMIC_DISPATCH(join)(type, planes, base, count, values);
}

}  // namespace godwit::codec::xh
#endif  // HWY_ONCE
