#include "codec/catalog.h"

#include <array>

#include "codec/bpc/decoder.h"
#include "codec/bpc/encoder.h"
#include "codec/fixed_rate/fixed_rate.h"
#include "codec/raw/raw.h"
#include "codec/row/row.h"
#include "codec/sparse_list/sparse_list.h"

namespace godwit::codec {
namespace {

template <class Interface, class Class>
std::unique_ptr<Interface> make() {
  return std::make_unique<Class>();
}

template <class Encoder, class Decoder>
constexpr Entry entry(Id id, bool progressive) {
  return {id, {}, progressive, make<TileEncoder, Encoder>, make<TileDecoder, Decoder>};
}

}  // namespace

std::string_view to_string(Id id) {
  switch (id) {
    case Id::kRaw:
      return "raw";
    case Id::kBpc:
      return "bpc";
    case Id::kSparseList:
      return "sparse-list";
    case Id::kRow:
      return "row";
    case Id::kXh:
      return "xh";
    case Id::kQ8:
      return "q8";
    case Id::kQ4:
      return "q4";
    case Id::kLowRank:
      return "low-rank";
  }
  return "unknown";
}

std::span<const Entry> catalog() {
  static const auto kEntries = [] {
    std::array entries = {
        entry<raw::Encoder, raw::Decoder>(Id::kRaw, false),
        entry<bpc::Encoder, bpc::Decoder>(Id::kBpc, true),
        entry<sparse_list::Encoder, sparse_list::Decoder>(Id::kSparseList, true),
        entry<row::Encoder, row::Decoder>(Id::kRow, true),
        entry<fixed_rate::Encoder<8>, fixed_rate::Decoder<8>>(Id::kQ8, false),
        entry<fixed_rate::Encoder<4>, fixed_rate::Decoder<4>>(Id::kQ4, false),
    };
    for (Entry& each : entries) {
      each.name = to_string(each.id);
    }
    return entries;
  }();
  return kEntries;
}

}  // namespace godwit::codec
