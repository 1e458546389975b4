// One pass of a codec over all tiles of a tensor: what comes out, or how long it takes.
//
// Thread: one. Memory: some MiB, and as many bytes as the sample has for memcpy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"
#include "api/cli/codec_bench/subject.h"
#include "codec/codec.h"
#include "codec/tile_codec.h"
#include "codec/xh/chunk.h"

namespace godwit::codec_bench {

// Processor seconds, and what was done in them. Tiles without a budget count nowhere.
struct Pass {
  double encode_seconds = 0;
  double decode_seconds = 0;
  double copy_seconds = 0;
  std::uint64_t values = 0;  // coded
  std::uint64_t copied = 0;  // bytes
};

struct Accuracy {
  std::uint64_t bytes = 0;
  double error = 0;  // relative, of the sample's own values
};

class Passes {
 public:
  Passes(const Sample& sample, const Quanta& quanta);

  // Encodes each tile into at most its budget, decodes it and compares with the sample. A tile
  // without a budget, or without a code in it, is delivered as zeros.
  Accuracy check(Subject subject, std::span<const std::size_t> budgets);
  // The same without looking at values.
  void time(Subject subject, std::span<const std::size_t> budgets, Pass& pass);

  // Whether XH knows the sample's type.
  bool has_xh() const;
  // The bytes of a snapshot of the sample; every element is read back and is the same.
  std::uint64_t check_xh();
  // Its chunks, without header, index and checksums.
  void time_xh(Pass& pass);

 private:
  codec::TileEncoder& encoder_of(Subject subject);
  // Adds to `pass` the time of memcpy of the sample's bytes from `first` on.
  void copy(std::size_t first, std::size_t bytes, Pass& pass);

  const Sample& sample_;
  const Quanta& quanta_;
  std::vector<std::unique_ptr<codec::TileEncoder>> encoders_;  // by codec::Id
  codec::Decoder decoder_;
  std::vector<std::byte> coded_;
  std::vector<std::int64_t> removed_;
  std::vector<std::int64_t> decoded_;
  std::vector<double> own_;
  std::vector<std::byte> copy_;
  codec::xh::ChunkEncoder xh_encoder_;
  codec::xh::ChunkDecoder xh_decoder_;
  std::vector<std::byte> xh_code_;  // of a chunk
};

}  // namespace godwit::codec_bench
