// Encodes the most significant part of a tile of pending integers into a byte budget, and back.
//
// A tile is up to 32,768 fixed-point integers ("quanta", |x| < 2^62). `Encoder::load` analyses
// one, `encode` writes the best code within a budget and says exactly which integers it removed:
// `removed` equals what `Decoder::decode` produces from the same bytes, on every machine. What was
// not removed stays open at the caller and goes with a later call.
//
//   Encoder encoder;                             Decoder decoder;
//   encoder.load(open);                          auto ok = decoder.decode(id, coded, values);
//   auto done = encoder.encode({800}, out, removed);
//   // ship out.first(done.bytes) with done.id;  // add values to the sum
//
// Thread: one owner each. Memory: all of it (2 MiB an encoder, 1 MiB a decoder) allocated by the
// constructor.
// Time: none; both are pure functions of their arguments.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "dataplane/base/result.h"

namespace godwit::codec {

// Elements in a full tile: 8 blocks of 4,096. The last tile of a tensor may be shorter.
inline constexpr std::size_t kTileElements = 32768;

// Every |x| in a tile is below this; the door refuses what is larger (DESIGN: fixed point).
inline constexpr std::int64_t kValueLimit = std::int64_t{1} << 62U;

// Formats on the wire; numbers never change. The reserved ones decode to kUnsupported.
enum class Id : std::uint8_t {
  kRaw = 0,         // integers packed to the tile's width (raw/SPEC.md)
  kBpc = 1,         // progressive bit planes (bpc/SPEC.md)
  kSparseList = 2,  // positions and sizes of the largest (sparse_list/SPEC.md)
  kRow = 3,         // the rows that were touched, by BPC or SL (row/SPEC.md)
  kXh = 4,          // reserved: tensors as they are, outside of tiles (xh/SPEC.md)
  kQ8 = 5,          // fixed rate, 8 bits (fixed_rate/SPEC.md)
  kQ4 = 6,          // fixed rate, 4 bits
  kLowRank = 7,     // reserved: low rank factors, then another codec
};

// No encoding of a tile of n elements is longer than this: RAW at 63 bits per element.
constexpr std::size_t coded_bytes_max(std::size_t elements) {
  return 1 + (elements * 63 + 7) / 8;
}

// With at least this budget every call strictly reduces the energy of a tile that has an element
// above the floor: the worst first segment is 256 coefficients that become significant together
// behind 127 empty sub-blocks (derived in bpc/SPEC.md, pinned by a test).
inline constexpr std::size_t kProgressBytes = 384;

// Up to this budget a list of the largest elements is tried as well. Chosen: an eighth of a bit an
// element, where it removes 3 to 15 % more energy than bit planes on real updates, for twice the
// time.
constexpr std::size_t sparse_bytes_max(std::size_t elements) {
  return std::max<std::size_t>(64, elements / 64);
}

struct Budget {
  std::size_t bytes = std::numeric_limits<std::size_t>::max();
  // Coding stops once every |remainder| is at most this many quanta; 0 asks for everything.
  std::uint64_t floor = 0;
};

// What a receiver decodes besides RAW.
struct Accepts {
  bool bpc = true;
  bool finer_steps = true;  // of BPC, between powers of two
  bool sparse_list = true;
  bool row = true;
  bool q8 = true;
  bool q4 = true;
};

// The same where SL is accepted: one element, wherever it is.
inline constexpr std::size_t kSparseProgressBytes = 16;

struct Encoded {
  Id id = Id::kRaw;
  std::size_t bytes = 0;            // written to `out`; 0 only if there was room for none
  std::uint64_t remainder_max = 0;  // max |open - removed|, in quanta
  double energy_before = 0;         // sum of open^2, in quanta^2
  double energy_after = 0;          // sum of (open - removed)^2; equals before if nothing moved
};

// One piece of a progressive code, in the order of the wire.
struct Segment {
  std::uint32_t bytes = 0;  // estimated size, rather too large than too small
  float slope = 0;          // estimated energy removed per byte, in quanta^2
};

class Encoder {
 public:
  Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;
  ~Encoder();

  // Analyses a tile of 1 to kTileElements integers. `open` must stay as it is until the last
  // encode() of this tile.
  void load(std::span<const std::int64_t> open);

  // What encode() would write, given room: estimates, valid until the next load().
  std::span<const Segment> segments() const;

  // Sum of squares and largest magnitude of the loaded tile.
  double energy() const;
  std::uint64_t max_abs() const;

  // Codes the tile into at most min(budget.bytes, out.size()) bytes. `removed` has the tile's
  // size. May be called again for the same tile: one analysis serves several budgets.
  // Never longer than RAW when RAW fits; RAW itself when that is the shortest exact code; ROW where
  // few rows were touched; SL where that removes more, up to sparse_bytes_max().
  // For a receiver of RAW alone: it has one width for all of a tile, so what is beyond the width
  // that fits stays open; `bytes` is 0 when not even two bits an element fit.
  Encoded encode(Budget budget,
                 std::span<std::byte> out,
                 std::span<std::int64_t> removed,
                 Accepts accepts = {});

  // Codes a tile, which need not be loaded, by Q8 or Q4, or by RAW where that is no longer: in a
  // fraction of the time that an analysis takes, see planner.h. `bytes` is 0, and nothing removed,
  // when `out` has no room for it.
  Encoded encode_fixed_rate(Id id,
                            std::span<const std::int64_t> open,
                            std::span<std::byte> out,
                            std::span<std::int64_t> removed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decoder {
 public:
  Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  // Decodes a tile of exactly out.size() elements (from the declared shape, never from the wire).
  // kCorrupt: the bytes break the format; kUnsupported: an id without a codec. After a failure
  // `out` is unspecified and nothing else was touched. Every |value| is below kValueLimit.
  Result<void> decode(Id id, std::span<const std::byte> coded, std::span<std::int64_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::codec
