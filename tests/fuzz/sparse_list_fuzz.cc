// SL's decoder on any bytes: the first two are the number of elements of the declared shape.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/sparse_list/sparse_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using godwit::codec::kTileElements;
  using godwit::codec::kValueLimit;
  if (size < 2) {
    return 0;
  }
  static godwit::codec::sparse_list::Decoder decoder;
  const std::size_t elements = 1 + (data[0] | std::size_t{data[1]} << 8U) % kTileElements;
  const auto coded = std::as_bytes(std::span(data + 2, size - 2));
  std::vector<std::int64_t> out(elements);
  if (!decoder.decode(std::vector(coded.begin(), coded.end()), out)) {
    return 0;
  }
  for (const std::int64_t value : out) {
    if (value >= kValueLimit || value <= -kValueLimit) {
      std::abort();
    }
  }
  return 0;
}
