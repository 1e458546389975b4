// Q8's and Q4's decoders on any bytes: which of them, and the number of elements, come first.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/fixed_rate/fixed_rate.h"

namespace {

template <unsigned kBits>
void run(std::span<const std::byte> coded, std::size_t elements) {
  using namespace godwit::codec;
  std::vector<std::int64_t> out(elements);
  if (!fixed_rate::Decoder<kBits>().decode(coded, out)) {
    return;
  }
  // What is accepted is in range, or loading it would end the process.
  fixed_rate::Encoder<kBits> encoder;
  encoder.load(out);
  std::vector<std::byte> again(fixed_rate::coded_bytes(kBits, elements));
  std::vector<std::int64_t> removed(elements);
  if (encoder.encode({}, again, removed).bytes != again.size()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) {
    return 0;
  }
  const std::size_t elements =
      1 + (data[1] | std::size_t{data[2]} << 8U) % godwit::codec::kTileElements;
  const auto bytes = std::as_bytes(std::span(data + 3, size - 3));
  const std::vector<std::byte> coded(bytes.begin(), bytes.end());
  data[0] % 2 == 0 ? run<8>(coded, elements) : run<4>(coded, elements);
  return 0;
}
