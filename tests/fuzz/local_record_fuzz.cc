// Any bytes as a record of the local channel: byte 0 is the type, byte 1 the flags, then the body.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "api/client/block_sums.h"
#include "api/local/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  if (size < 2) {
    return 0;
  }
  // A ring gives bodies at addresses that are multiples of 8.
  std::vector<std::uint64_t> words((size - 2 + 7) / 8 + 1);
  std::memcpy(words.data(), data + 2, size - 2);
  const auto body = std::as_bytes(std::span(words)).first(size - 2);
  const local::RecordView view{data[0], data[1], body};
  (void)local::decode_client_record(view);
  const auto record = local::decode_gateway_record(view);
  if (!record) {
    return 0;
  }
  if (const auto* const transfer = std::get_if<local::Transfer>(&*record)) {
    local::SectionReader sections(*transfer);
    std::uint64_t sum = 0;
    while (const auto section = sections.next()) {
      client::for_each_piece(*section, [&](std::uint64_t, std::span<const std::int64_t> values) {
        for (const std::int64_t value : values) {
          sum += static_cast<std::uint64_t>(value);
        }
      });
    }
    volatile std::uint64_t sink = sum;
    (void)sink;
  }
  return 0;
}
