// ROW: which rows of a tile were touched, and their elements by BPC or SL (SPEC.md).
//
// Updates of embeddings, factorisations and mixtures of experts touch few rows. To say which costs
// some bits a row; then only their elements are coded, as a short tile of its own. How wide a row
// is nobody says: the zeros between rows do.
//
// Thread: one owner. Memory: about 0.9 MiB an encoder and 0.5 MiB a decoder, allocated by the
// constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "codec/bpc/encoder.h"
#include "codec/row/row_set.h"
#include "codec/row/rows.h"
#include "codec/sparse_list/sparse_list.h"
#include "codec/tile_codec.h"

namespace godwit::codec::row {

class Encoder final : public TileEncoder {
 public:
  Encoder();
  ~Encoder() override;

  void load(std::span<const std::int64_t> open) override;
  // What `planes` know of the tile, to which they are loaded.
  void load(std::span<const std::int64_t> open, const bpc::Encoder& planes);

  // Nothing where no rows are found, or leaving some out would not save anything.
  Encoded encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) override;

  // Whether the code within this budget removes more than that of the whole tile, by estimate.
  bool pays(Budget budget);

  // What a receiver decodes of the codecs within; all unless it is said.
  void use(const Accepts& accepts) { accepts_ = accepts; }

  // As bpc::Encoder::complete.
  bool complete() const { return complete_; }

 private:
  struct Buffers;

  bool find(std::uint64_t floor);
  void mark_above(std::uint64_t floor, BitMap& bits) const;
  void load_rows();
  Encoded encode_rows(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed);
  std::size_t head_bytes() const;
  void write_head(Id inner, std::span<std::byte> out) const;

  std::span<const std::int64_t> open_;
  std::uint64_t max_abs_ = 0;
  double energy_ = 0;
  std::span<const std::uint64_t> sub_block_max_;  // or none, when nobody knows
  Accepts accepts_;
  bool complete_ = false;

  // What was found of the loaded tile, at this floor.
  std::optional<std::uint64_t> floor_;
  bool found_ = false;
  bool loaded_ = false;  // the rows, into the codecs within
  Rows rows_;
  SetSize set_size_;
  SetCode set_code_;
  std::size_t named_elements_ = 0;
  double saved_bits_ = 0;  // by estimate, for each element above the floor
  std::size_t above_ = 0;  // elements above the floor
  std::unique_ptr<Buffers> buffers_;
};

class Decoder final : public TileDecoder {
 public:
  Decoder();
  ~Decoder() override;

  Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) override;

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace godwit::codec::row
