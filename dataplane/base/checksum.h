// CRC32C (Castagnoli, RFC 3720 appendix B.4): finds accidental damage to bytes.
//
// Hardware instruction where the processor has SSE4.2, a table otherwise; both give equal results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit {

// Chaining: crc32c(b, crc32c(a)) == crc32c(ab).
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

namespace detail {
std::uint32_t crc32c_table(std::span<const std::byte> bytes, std::uint32_t seed);
}  // namespace detail

}  // namespace godwit
