// The races of godwit-speed, by what they work on.
//
// Thread: one. Memory: pools of 64 to 128 MiB each, given back at the end of a function.
#pragma once

#include <cstddef>
#include <span>

#include "bench/codec/race.h"
#include "codec/codec.h"

namespace godwit::bench_codec {

// What counts for a rate of tiles: a float32 for each element.
inline constexpr std::size_t kTileBytes = codec::kTileElements * sizeof(float);

// BPC, Q8 and Q4 as a gateway uses them: from P - S to bytes and a new S, and from bytes into P.
// What changes parameters in many steps is dense; a raw gradient has heavy tails.
void race_tiles(std::span<const float> dense, std::span<const float> heavy);
// XH of parameters, beside memcpy and beside byte planes in zstd; and its sizes, which need no
// race.
void race_snapshots(std::span<const float> parameters);
// Publishes into P, with and without the checksum and with many lanes; the scan for significance.
void race_sums();

}  // namespace godwit::bench_codec
