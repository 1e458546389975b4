#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/bytes.h"

namespace godwit {
namespace {

RC_GTEST_PROP(Bytes, EveryVarintReadsBackAsItself, ()) {
  // Shifted, because most drawn integers are small.
  const auto shift = *rc::gen::inRange<unsigned>(0, 64);
  const std::uint64_t value = *rc::gen::arbitrary<std::uint64_t>() << shift;
  std::array<std::byte, 10> buffer{};
  ByteWriter writer(buffer);

  writer.varint(value);

  RC_ASSERT(writer.ok());
  RC_ASSERT(writer.written().size() == varint_bytes(value));
  ByteReader reader(writer.written());
  RC_ASSERT(reader.varint() == value);
  RC_ASSERT(reader.ok());
  RC_ASSERT(reader.remaining() == 0U);
}

RC_GTEST_PROP(Bytes, NoSequenceOfReadsLeavesTheBuffer, (const std::vector<std::uint8_t>& raw)) {
  const auto bytes = std::as_bytes(std::span(raw));
  ByteReader reader(bytes);
  std::size_t position = 0;
  for (const auto verb : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5))) {
    switch (verb) {
      case 0:
        reader.u8();
        break;
      case 1:
        reader.u64();
        break;
      case 2:
        reader.varint();
        break;
      default:
        reader.bytes(static_cast<std::size_t>(*rc::gen::inRange(0, 20)));
        break;
    }
    RC_ASSERT(reader.position() >= position);
    RC_ASSERT(reader.position() <= bytes.size());
    position = reader.position();
  }
}

}  // namespace
}  // namespace godwit
