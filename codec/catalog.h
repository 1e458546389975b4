// Which codecs exist: id, name and how to make each side of one.
//
// A new codec is a folder plus a line in catalog.cc; the tests under tests/codec run every entry
// through every law.
//
// Thread: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "codec/codec.h"
#include "codec/tile_codec.h"

namespace godwit::codec {

struct Entry {
  Id id;
  std::string_view name;
  bool progressive;  // uses a budget below the exact size, and removes what fits
  std::unique_ptr<TileEncoder> (*make_encoder)();
  std::unique_ptr<TileDecoder> (*make_decoder)();
};

// In the order of ids.
std::span<const Entry> catalog();

// The name of an id, also of a reserved one; "unknown" for others.
std::string_view to_string(Id id);

}  // namespace godwit::codec
