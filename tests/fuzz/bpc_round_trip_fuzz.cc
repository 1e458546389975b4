// Encoder and decoder together: bytes are a budget, a scale and small integers.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::codec;
  if (size < 4) {
    return 0;
  }
  static Encoder encoder;
  static Decoder decoder;
  const std::size_t budget = 1 + (data[0] | std::size_t{data[1]} << 8U);
  const unsigned repeat = 1 + data[2] % 16;
  const unsigned scale = data[3] % 55;
  std::vector<std::int64_t> open;
  for (std::size_t i = 4; i < size && open.size() + repeat <= kTileElements; ++i) {
    const auto value = static_cast<std::int64_t>(static_cast<std::int8_t>(data[i]));
    open.insert(open.end(), repeat, value * (std::int64_t{1} << scale));
  }
  if (open.empty()) {
    return 0;
  }
  std::vector<std::byte> out(budget);
  std::vector<std::int64_t> removed(open.size());
  std::vector<std::int64_t> decoded(open.size());
  encoder.load(open);
  const Encoded done = encoder.encode({}, out, removed);
  out.resize(done.bytes);
  out.shrink_to_fit();
  if (!decoder.decode(done.id, out, decoded) || decoded != removed) {
    std::abort();
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (std::abs(open[i] - removed[i]) > std::abs(open[i])) {
      std::abort();
    }
  }
  if (budget >= kProgressBytes && done.energy_before > 0 &&
      !(done.energy_after < done.energy_before)) {
    std::abort();
  }
  return 0;
}
