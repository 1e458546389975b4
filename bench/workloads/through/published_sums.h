// What one site has published, element by element, as the site itself counts it: what the auditor
// compares every gateway's sums with.
//
// The file, little endian: count u64, then count × i64 quanta.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::through {

Result<void> write_sums(const std::string& path, std::span<const std::int64_t> sums);

// kCorrupt unless the bytes are exactly the log of `elements` elements.
Result<std::vector<std::int64_t>> parse_sums(std::span<const std::byte> file, std::size_t elements);

// The same of a file; errors begin with the path.
Result<std::vector<std::int64_t>> read_sums(const std::string& path, std::size_t elements);

}  // namespace godwit::through
