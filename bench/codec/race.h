// Two pieces of work by turns, so that whatever else the machine does strikes both.
//
// Time: the thread's own processor time. Thread: one. Memory: the pools of whoever uses it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace godwit::bench_codec {

// Work on piece `index` of a pool that no cache holds. A host may take back what a guest has not
// used for a while, whatever is locked in the guest, and bring it again page by page: `touch` looks
// at a byte of each page of the piece, and is not timed.
struct Work {
  std::size_t bytes = 0;  // that count for its rate
  std::function<void(std::size_t index)> run;
  std::function<void(std::size_t index)> touch = [](std::size_t) {};
};
void touch_pages(std::span<const std::byte> memory);
template <class T>
void touch_pages(std::span<const T> values) {
  touch_pages(std::as_bytes(values));
}

// memcpy of at most kCopyBytesMax from one pool that no cache holds to another.
inline constexpr std::size_t kCopyBytesMax = std::size_t{512} * 1024;
Work copying(std::size_t bytes);

inline constexpr std::size_t kPieces = 512;         // of a pool
inline constexpr std::size_t kPiecesPerRound = 64;  // each piece once in eight rounds
inline constexpr std::size_t kRounds = 8;

// Prints kRounds JSON lines {"figure", "value", "reference_value"}, both in GB/s.
void race(const std::string& figure, const Work& subject, const Work& reference);

}  // namespace godwit::bench_codec
