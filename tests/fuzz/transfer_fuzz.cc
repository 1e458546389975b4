// Fuzz target: a transfer as it comes from a peer. Whatever the bytes, reading stays inside them;
// and what is accepted has sizes that add up.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace {

void read_all(std::span<const std::byte> bytes) {
  const auto length = godwit::wire::transfer_bytes(bytes);
  if (length) {
    GODWIT_ASSERT(*length <= godwit::wire::kTransferBytesMax);
  }
  const auto view = godwit::wire::parse_transfer(bytes, 64);
  if (!view) {
    return;
  }
  GODWIT_ASSERT(length.has_value() && *length == bytes.size());
  std::size_t payload = 0;
  for (const godwit::wire::TilePart part : *view) {
    GODWIT_ASSERT(part.tile < 64);
    payload += godwit::wire::tile_record_bytes(
                   part.tile, static_cast<std::uint32_t>(part.coded.size()), view->header().flags) +
               part.coded.size();
  }
  GODWIT_ASSERT(payload == view->header().payload_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  read_all(input);
  // Once more with both crcs made right, so that the fuzzer sees what lies behind them.
  if (size > 98 && size <= godwit::wire::kTransferBytesMax) {
    std::vector<std::byte> fixed(input.begin(), input.end());
    const auto origins = static_cast<std::size_t>(fixed[15]);
    const std::size_t header = godwit::wire::header_bytes(0) + (origins * 4);
    if (header + 4 <= size) {
      godwit::wire::write_trailer(std::span(fixed).first(header));
      godwit::wire::write_trailer(fixed);
      read_all(fixed);
    }
  }
  return 0;
}
