// RAW's decoder on any bytes: the first two are the number of elements of the declared shape.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/raw/raw.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using godwit::codec::kTileElements;
  if (size < 2) {
    return 0;
  }
  const std::size_t elements = 1 + (data[0] | std::size_t{data[1]} << 8U) % kTileElements;
  std::vector<std::int64_t> out(elements);
  const auto coded = std::as_bytes(std::span(data + 2, size - 2));
  godwit::codec::raw::Decoder decoder;
  if (!decoder.decode(coded, out)) {
    return 0;
  }
  // What is accepted is in range and can be written again.
  godwit::codec::raw::Encoder encoder;
  encoder.load(out);
  std::vector<std::byte> again(godwit::codec::coded_bytes_max(elements));
  std::vector<std::int64_t> removed(elements);
  if (encoder.encode({}, again, removed).bytes == 0 || removed != out) {
    std::abort();
  }
  return 0;
}
