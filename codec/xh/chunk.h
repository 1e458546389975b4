// XH: chunks of a tensor, exactly: elements' bytes by significance, each plane by what it takes
// (SPEC.md).
//
//   ChunkEncoder encoder;                           ChunkDecoder decoder;
//   auto size = encoder.encode(type, values, base,  auto ok = decoder.decode(type, coded, base,
//                              out);                                         values);
//
// Thread: one owner each. Memory: all of it (1 MiB the encoder, 2 MiB the decoder) allocated by the
// constructors. Time: none; both are pure functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/xh/format.h"
#include "codec/xh/planes.h"
#include "codec/xh/prefix_code.h"
#include "dataplane/base/result.h"

namespace godwit::codec::xh {

class ChunkEncoder {
 public:
  ChunkEncoder();

  // `values` are 1 to kChunkElements elements, `base` is empty or as many of the same type; `out`
  // has room for chunk_bytes_max(). Returns the bytes written.
  std::size_t encode(Type type,
                     std::span<const std::byte> values,
                     std::span<const std::byte> base,
                     std::span<std::byte> out);

 private:
  std::size_t gather(std::size_t planes, std::size_t count);
  std::uint8_t* write_plane(std::span<const std::uint8_t> plane, std::uint8_t* out) const;

  std::vector<std::uint8_t> plane_bytes_;
  Planes planes_;
  std::vector<std::uint8_t> map_;
};

class ChunkDecoder {
 public:
  ChunkDecoder();

  // Decodes exactly the elements of `values` (from the declared shape, never from the chunk), with
  // the base that the encoder had. kCorrupt: the bytes break the format; kInvalid: the chunk is
  // made against a base and there is none, or the other way around. After a failure `values` is
  // unspecified and nothing else was touched.
  Result<void> decode(Type type,
                      std::span<const std::byte> coded,
                      std::span<const std::byte> base,
                      std::span<std::byte> values);

 private:
  Result<std::size_t> read_plane(std::span<const std::uint8_t> coded,
                                 std::span<std::uint8_t> plane);

  std::vector<std::uint8_t> plane_bytes_;
  Planes planes_;
  std::vector<std::uint8_t> map_;
  std::vector<std::uint8_t> code_;
  PrefixReader reader_;
};

}  // namespace godwit::codec::xh
