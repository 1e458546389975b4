// A file of XH chunks that nobody vouches for.
#include <cstdint>
#include <vector>

#include "codec/xh/snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::codec::xh;
  static ChunkDecoder decoder;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> file(bytes.begin(), bytes.end());
  const auto snapshot = Snapshot::open(file);
  if (!snapshot) {
    return 0;
  }
  for (std::size_t chunk = 0; chunk < snapshot->chunks(); ++chunk) {
    std::vector<std::byte> values(snapshot->elements_of(chunk) * bytes_of(snapshot->type()));
    const std::vector<std::byte> base(snapshot->against_base() ? values.size() : 0);
    static_cast<void>(snapshot->read(chunk, base, decoder, values));
  }
  return 0;
}
