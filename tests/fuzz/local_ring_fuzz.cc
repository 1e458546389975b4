// A hostile client writes anything anywhere into the shared memory while the gateway's end works.
//
// The input is a list of steps of 10 bytes: what to do, where, and an 8-byte value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "api/local/memory_channel.h"
#include "api/local/records.h"
#include "dataplane/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  local::MemoryLink link({.to_gateway_bytes = 1024, .to_client_bytes = 1024});
  const local::RingMemory up = link.to_gateway_memory();
  const local::RingMemory down = link.to_client_memory();
  ByteReader input(std::as_bytes(std::span(data, size)));
  while (input.remaining() >= 10) {
    const std::uint8_t what = input.u8();
    const std::size_t where = input.u8() * std::size_t{8} % 1024;
    const std::uint64_t value = input.u64();
    switch (what % 8) {
      case 0:
        up.control->head = value;
        break;
      case 1:
        up.control->tail = value;
        break;
      case 2:
        down.control->tail = value;
        break;
      case 3:
        down.control->head = value;
        break;
      case 4:
        up.control->producer_waits = static_cast<std::uint32_t>(value);
        down.control->consumer_waits = static_cast<std::uint32_t>(value);
        break;
      case 5:
        std::memcpy(up.bytes.data() + where, &value, sizeof(value));
        break;
      case 6:
        (void)local::send(link.gateway_end(), local::Safe{local::TopicHandle{1}, value, value});
        break;
      default:
        if (const auto record = link.gateway_end().receive()) {
          if (record->body.size() > link.client_end().body_bytes_max()) {
            std::abort();
          }
          (void)local::decode_client_record(*record);
        }
    }
  }
  return 0;
}
