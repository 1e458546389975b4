#include "codec/codec.h"

#include <algorithm>
#include <array>
#include <bit>

#include "codec/bpc/encoder.h"
#include "codec/catalog.h"
#include "codec/fixed_rate/fixed_rate.h"
#include "codec/raw/raw.h"
#include "codec/row/row.h"
#include "codec/sparse_list/sparse_list.h"
#include "dataplane/base/assert.h"

namespace godwit::codec {

struct Encoder::State {
  std::span<const std::int64_t> open;
  bpc::Encoder bpc;
  row::Encoder row;
  raw::Encoder raw;
  sparse_list::Encoder sparse;
  fixed_rate::Encoder<8> q8;
  fixed_rate::Encoder<4> q4;
  std::array<std::byte, sparse_bytes_max(kTileElements)> sparse_code{};
  std::array<std::int64_t, kTileElements> sparse_removed{};

  struct Planes {
    Encoded done;
    bool complete = false;  // as bpc::Encoder::complete
  };

  // Bit planes as far as the budget goes: of the rows that were touched where that is shorter by
  // estimate, else of all elements.
  Planes encode_planes(Budget budget,
                       std::span<std::byte> out,
                       std::span<std::int64_t> removed,
                       const Accepts& accepts) {
    row.use(accepts);
    if (accepts.row && row.pays(budget)) {
      const Encoded done = row.encode(budget, out, removed);
      if (done.bytes != 0) {
        return {done, row.complete()};
      }
    }
    bpc.use_finer_steps(accepts.finer_steps);
    const Encoded done = bpc.encode(budget, out, removed);
    return {done, bpc.complete()};
  }

  // What coding `open - removed` to the end will take, roughly: every element that is not yet
  // exact costs the bits of the largest remainder (they are incompressible by then).
  double rest_bytes(const Encoded& done, std::span<const std::int64_t> removed) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      count += open[i] != removed[i] ? 1U : 0U;
    }
    const std::size_t bits = std::bit_width(done.remainder_max);
    return static_cast<double>(count * bits) / 8;
  }
};

Encoder::Encoder() : state_(std::make_unique<State>()) {}
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

void Encoder::load(std::span<const std::int64_t> open) {
  state_->open = open;
  state_->bpc.load(open);
  state_->row.load(open, state_->bpc);
  state_->raw.load(open, state_->bpc.max_abs(), state_->bpc.energy());
}

std::span<const Segment> Encoder::segments() const {
  return state_->bpc.segments();
}
double Encoder::energy() const {
  return state_->bpc.energy();
}
std::uint64_t Encoder::max_abs() const {
  return state_->bpc.max_abs();
}

Encoded Encoder::encode(Budget budget,
                        std::span<std::byte> out,
                        std::span<std::int64_t> removed,
                        Accepts accepts) {
  State& s = *state_;
  GODWIT_ASSERT(!s.open.empty() && removed.size() == s.open.size());
  if (!accepts.bpc) {
    return s.raw.encode_cut(budget, out, removed);
  }
  const std::size_t room = std::min(budget.bytes, out.size());
  const std::size_t raw_bytes = raw::bytes_of(raw::width_of(s.bpc.max_abs()), s.open.size());
  const bool raw_fits = raw_bytes <= room;
  if (s.bpc.max_abs() > budget.floor) {
    const std::size_t limit = std::min(room, raw_bytes);
    const auto [done, complete] = s.encode_planes({limit, budget.floor}, out, removed, accepts);
    bool raw_wins = raw_fits && !complete;
    if (raw_fits && !raw_wins && budget.floor == 0 && done.remainder_max != 0) {
      raw_wins = static_cast<double>(done.bytes) + s.rest_bytes(done, removed) >=
                 static_cast<double>(raw_bytes);
    }
    if (accepts.sparse_list && !raw_fits && room <= sparse_bytes_max(s.open.size())) {
      s.sparse.load(s.open, s.bpc.max_abs(), s.bpc.energy());
      const auto all = std::span(s.sparse_removed).first(s.open.size());
      const Encoded sparse = s.sparse.encode({room, budget.floor}, s.sparse_code, all);
      if (sparse.energy_after < done.energy_after) {
        std::copy_n(s.sparse_code.begin(), sparse.bytes, out.begin());
        std::copy(all.begin(), all.end(), removed.begin());
        return sparse;
      }
    }
    if (!raw_wins && done.bytes != 0) {
      return done;
    }
    if (raw_fits) {
      return s.raw.encode(budget, out, removed);
    }
  }
  // Nothing to say, or no room to say it: a tile of zeros.
  std::fill(removed.begin(), removed.end(), 0);
  const std::size_t bytes = std::min<std::size_t>(room, raw::bytes_of(0, s.open.size()));
  if (bytes != 0) {
    out[0] = std::byte{0};
  }
  return {Id::kRaw, bytes, s.bpc.max_abs(), s.bpc.energy(), s.bpc.energy()};
}

Encoded Encoder::encode_fixed_rate(Id id,
                                   std::span<const std::int64_t> open,
                                   std::span<std::byte> out,
                                   std::span<std::int64_t> removed) {
  GODWIT_ASSERT(id == Id::kQ8 || id == Id::kQ4);
  // RAW is exact, and no longer where all integers are narrow. Others show it in the first of them.
  const std::size_t bytes = fixed_rate::coded_bytes(id == Id::kQ8 ? 8 : 4, open.size());
  const std::int64_t most = (std::int64_t{1} << ((bytes - 1) * 8 / open.size() - 1)) - 1;
  if (std::all_of(open.begin(), open.end(), [&](auto value) { return std::abs(value) <= most; })) {
    state_->raw.load(open);
    return state_->raw.encode({}, out, removed);
  }
  TileEncoder& encoder = id == Id::kQ8 ? static_cast<TileEncoder&>(state_->q8) : state_->q4;
  encoder.load(open);
  return encoder.encode({}, out, removed);
}

struct Decoder::State {
  std::array<std::unique_ptr<TileDecoder>, 256> decoders;  // by id
};

Decoder::Decoder() : state_(std::make_unique<State>()) {
  for (const Entry& entry : catalog()) {
    state_->decoders[static_cast<std::size_t>(entry.id)] = entry.make_decoder();
  }
}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

Result<void> Decoder::decode(Id id, std::span<const std::byte> coded, std::span<std::int64_t> out) {
  GODWIT_ASSERT(!out.empty() && out.size() <= kTileElements);
  TileDecoder* const decoder = state_->decoders[static_cast<std::size_t>(id)].get();
  if (decoder == nullptr) {
    return fail(Code::kUnsupported, "codec {} is unknown here", static_cast<unsigned>(id));
  }
  return decoder->decode(coded, out);
}

}  // namespace godwit::codec
