// The codecs that are compared.
//
// Thread: pure functions. Memory: none.
#pragma once

#include <cstdint>
#include <string_view>

namespace godwit::codec_bench {

enum class Subject : std::uint8_t {
  kBpc,         // progressive bit planes: as good as the budget allows
  kSparseList,  // the largest by position and rough size, for tiny budgets
  kRow,         // bit planes of the rows that are not zero; nothing in tiles where all are
  kQ4,          // 4 bits an element and a step for each 256
  kQ8,          // 8 bits
  kRaw,         // fixed-point integers, whole
  kXh,          // the tensor as it is, without loss
};

std::string_view to_string(Subject subject);       // "BPC", "SL", "ROW", "Q4", "Q8", "RAW", "XH"
std::string_view description_of(Subject subject);  // for a legend

}  // namespace godwit::codec_bench
