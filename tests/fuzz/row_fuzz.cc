// ROW's decoder on any bytes: the first two are the number of elements of the declared shape.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/row/row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::codec;
  if (size < 2) {
    return 0;
  }
  static row::Decoder decoder;  // kept: a refused code must leave nothing behind
  const std::size_t elements = 1 + (data[0] | std::size_t{data[1]} << 8U) % kTileElements;
  const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  const std::vector<std::byte> coded(bytes.begin(), bytes.end());
  std::vector<std::int64_t> out(elements, 1);
  if (!decoder.decode(coded, out)) {
    return 0;
  }
  for (const std::int64_t value : out) {
    if (value <= -kValueLimit || value >= kValueLimit) {
      std::abort();
    }
  }
  std::vector<std::int64_t> fresh(elements);
  if (!row::Decoder().decode(coded, fresh) || fresh != out) {
    std::abort();
  }
  return 0;
}
