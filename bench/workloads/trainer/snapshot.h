// One site's parameters at one instant, as a file that the evaluator reads while training goes on.
//
// Little endian: magic u64 · step u64 · nanoseconds since the start i64 · count u64 · count × f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::trainer {

struct Snapshot {
  std::uint64_t step = 0;
  Duration since_start;
  std::vector<float> parameters;
};

// `sequence` counts the snapshots of a site; names sort in its order.
Result<void> write_snapshot(const std::string& folder,
                            std::uint64_t sequence,
                            std::uint64_t step,
                            Duration since_start,
                            std::span<const float> parameters);

// kCorrupt unless the bytes are exactly a snapshot of `count` parameters.
Result<Snapshot> parse_snapshot(std::span<const std::byte> file, std::size_t count);

// The file's snapshot of kParameters; errors begin with the path.
Result<Snapshot> read_snapshot(const std::string& path);

}  // namespace godwit::trainer
