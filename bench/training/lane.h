// One site's lane to the others, as a gateway keeps it: what was published and not sent stays open.
//
//   publish(change) ──▶ open, in quanta ──▶ codec::Encoder, tile by tile ──▶ decoded ──▶ sums
//                         ▲                          │
//                         └────── what a code left ──┘
//
// Thread: one owner. Memory: 24 bytes an element, and codecs (2 MiB).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"
#include "codec/codec.h"
#include "dataplane/base/result.h"

namespace godwit::bench_training {

// Publishes of one lane: so many of the largest still fit a sum. Chosen.
inline constexpr std::size_t kPublishesMax = 1024;

class Lane {
 public:
  explicit Lane(std::size_t elements);

  // Adds a change, rounded to quanta of 2^-40. kInvalid when a value is not finite or too large, as
  // where training diverges; then nothing was added.
  Result<void> publish(std::span<const float> change);

  // Sends what matters most within so many bytes, and adds what a receiver decodes to `sums`. Tiles
  // share the bytes by slope: the last byte removes as much energy in each. Returns what was sent,
  // with the records of the tiles.
  std::size_t send(std::size_t bytes, std::span<std::int64_t> sums);

  // Adds everything that is open to `sums`, as it is.
  void send_uncoded(std::span<std::int64_t> sums);

  // Forgets what is open, as if it had not been published.
  void drop();

  // Of the last change and of what is open: sums of squares, in quanta^2.
  double change_energy() const { return change_energy_; }
  double open_energy() const;

  // Sum over all elements of |published - decoded - open|, in quanta: 0, or something is wrong.
  std::uint64_t defect() const;

 private:
  codec_bench::Sample tiles_;  // where they begin, no data
  codec_bench::Quanta open_;
  std::vector<std::int64_t> published_;
  std::vector<std::int64_t> decoded_;
  double change_energy_ = 0;
  codec::Encoder encoder_;
  codec::Decoder decoder_;
};

}  // namespace godwit::bench_training
