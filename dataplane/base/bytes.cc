#include "dataplane/base/bytes.h"

namespace godwit {

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = u8();
    const std::uint64_t part = byte & 0x7FU;
    if (shift == 63 && part > 1) {
      break;
    }
    value |= part << shift;
    if ((byte & 0x80U) == 0) {
      return ok_ ? value : 0;
    }
  }
  ok_ = false;
  return 0;
}

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80U) {
    u8(static_cast<std::uint8_t>(value | 0x80U));
    value >>= 7U;
  }
  u8(static_cast<std::uint8_t>(value));
}

}  // namespace godwit
