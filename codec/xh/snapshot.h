// A tensor as a file of XH chunks: checked, and readable chunk by chunk (SPEC.md, "Snapshot").
//
//   auto bytes = write_snapshot(Type::kFloat32, values, {});
//   auto snapshot = Snapshot::open(bytes);                    // looks at header and index alone
//   auto ok = snapshot->read(chunk, {}, decoder, out);        // any chunk, in any order
//
// Thread: a Snapshot is a view and can be shared; a decoder has one owner. Memory: `write_snapshot`
// allocates what it returns, reading allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/xh/chunk.h"
#include "dataplane/base/result.h"

namespace godwit::codec::xh {

// `values` are any number of elements; `base` is empty or as many of the same type, which the
// reader must have, too.
std::vector<std::byte> write_snapshot(Type type,
                                      std::span<const std::byte> values,
                                      std::span<const std::byte> base);

class Snapshot {
 public:
  // Checks header and index; `bytes` must outlive the view. kCorrupt: they break the format, or
  // some are missing or too many; kUnsupported: a later version, or a type that is unknown here.
  static Result<Snapshot> open(std::span<const std::byte> bytes);

  Type type() const { return type_; }
  std::uint64_t elements() const { return elements_; }
  bool against_base() const { return against_base_; }
  std::size_t chunks() const { return chunks_; }
  // Elements of one chunk, and the first of them in the tensor.
  std::size_t elements_of(std::size_t chunk) const;
  static constexpr std::uint64_t first_of(std::size_t chunk) { return chunk * kChunkElements; }

  // One chunk's elements into `values`, of exactly its size. `base`: the same elements of the base,
  // or empty. As ChunkDecoder::decode; kCorrupt also when the elements are not those that were
  // written, as with another base than the writer's.
  Result<void> read(std::size_t chunk,
                    std::span<const std::byte> base,
                    ChunkDecoder& decoder,
                    std::span<std::byte> values) const;

 private:
  Snapshot() = default;

  std::span<const std::byte> bytes_;
  Type type_ = Type::kFloat32;
  std::uint64_t elements_ = 0;
  bool against_base_ = false;
  std::size_t chunks_ = 0;
};

}  // namespace godwit::codec::xh
