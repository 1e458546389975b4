// Two pieces of work by turns, so that whatever else the machine does strikes both.
//
// Thread: one. Memory: the pools of whoever uses it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace godwit::bench_codec {

// Work on piece `index` of a pool that no cache holds.
struct Work {
  std::size_t bytes = 0;  // that count for its rate
  std::function<void(std::size_t index)> run;
};

// memcpy of at most kCopyBytesMax from one pool that no cache holds to another.
inline constexpr std::size_t kCopyBytesMax = std::size_t{512} * 1024;
Work copying(std::size_t bytes);

inline constexpr std::size_t kPieces = 512;         // of a pool
inline constexpr std::size_t kPiecesPerRound = 64;  // each piece once in eight rounds
inline constexpr std::size_t kRounds = 8;

// Prints kRounds JSON lines {"figure", "value", "reference_value"}, both in GB/s.
void race(const std::string& figure, const Work& subject, const Work& reference);

}  // namespace godwit::bench_codec
