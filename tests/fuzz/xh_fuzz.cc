// XH's decoder on any bytes: the first four are type, whether there is a base, and the number of
// elements of the declared shape, of which the second byte has the highest bit.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/xh/chunk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::codec::xh;
  if (size < 4) {
    return 0;
  }
  static ChunkEncoder encoder;
  static ChunkDecoder decoder;
  const auto type = static_cast<Type>(data[0] % kTypes);
  const std::size_t elements =
      std::min(kChunkElements, 1 + (data[2] | std::size_t{data[3]} << 8U | (data[1] & 2U) << 15U));
  const std::size_t bytes = elements * bytes_of(type);
  const std::vector<std::byte> base(data[1] % 2 == 0 ? 0 : bytes, std::byte{0x3c});
  const auto coded = std::as_bytes(std::span(data + 4, size - 4));
  std::vector<std::byte> values(bytes);
  if (!decoder.decode(type, std::vector(coded.begin(), coded.end()), base, values)) {
    return 0;
  }
  // What is accepted can be written again, and is the same then.
  std::vector<std::byte> again(chunk_bytes_max(type, elements));
  again.resize(encoder.encode(type, values, base, again));
  std::vector<std::byte> decoded(bytes);
  if (!decoder.decode(type, again, base, decoded) || decoded != values) {
    std::abort();
  }
  return 0;
}
