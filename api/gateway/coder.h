// The codec as the ledger and the lanes see it: tiles to bytes and back, with fixed scratch.
//
// Thread: the worker. Memory: about 4 MiB, allocated once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "api/gateway/capabilities.h"
#include "codec/codec.h"
#include "codec/planner.h"
#include "dataplane/base/units.h"
#include "dataplane/ledger/types.h"

namespace godwit::gateway {

static_assert(codec::kTileElements == ledger::kTileElements, "one tile for codec and ledger");

// What one codec did in one direction. Time is the thread's processor time.
struct CodecUse {
  std::uint64_t tiles = 0;
  std::uint64_t bytes = 0;  // coded
  Duration time = Duration::zero();

  void add(std::size_t coded, Duration spent) {
    ++tiles;
    bytes += coded;
    time += spent;
  }
};

// The codecs of tiles; Capabilities tells which of them a peer decodes.
inline constexpr std::array kCodecs{codec::Id::kRaw,
                                    codec::Id::kBpc,
                                    codec::Id::kSparseList,
                                    codec::Id::kRow,
                                    codec::Id::kQ8,
                                    codec::Id::kQ4};

class Coder : public ledger::TileDecoder {
 public:
  using Uses = std::array<CodecUse, 1 + static_cast<std::size_t>(kCodecs.back())>;  // by codec::Id

  // `stopwatch` reads the thread's processor time.
  explicit Coder(std::function<Instant()> stopwatch)
      : stopwatch_(std::move(stopwatch)), scratch_(std::make_unique_for_overwrite<Scratch>()) {}

  Result<void> decode(std::uint8_t codec,
                      std::span<const std::byte> coded,
                      std::span<std::int64_t> out) override {
    const Instant began = stopwatch_();
    auto outcome = decoder_.decode(static_cast<codec::Id>(codec), coded, out);
    if (!outcome) {
      ++refused_;
    } else if (codec < decoded_.size()) {
      decoded_[codec].add(coded.size(), stopwatch_() - began);
    }
    return outcome;
  }

  // Encodes `values` into `out`; removed() then holds the integers that the receiver will add.
  // `link` is how fast the bytes will leave, 0 = not known.
  codec::Encoded encode(std::span<const std::int64_t> values,
                        codec::Budget budget,
                        BitRate link,
                        std::span<std::byte> out,
                        const Capabilities& receiver) {
    const Instant began = stopwatch_();
    const codec::Accepts accepts = receiver.accepts();
    budget.bytes = std::min(budget.bytes, out.size());
    const double ns_per_byte =
        link.bits_per_second() == 0 ? 0 : 8e9 / static_cast<double>(link.bits_per_second());
    const auto fixed_rate = planner_.fixed_rate(values, budget, ns_per_byte, accepts);
    codec::Encoded coded;
    if (fixed_rate) {
      coded = encoder_.encode_fixed_rate(*fixed_rate, values, out.first(budget.bytes), removed());
    } else {
      encoder_.load(values);
      coded = encoder_.encode(budget, out, removed(), accepts);
    }
    const Duration spent = stopwatch_() - began;
    planner_.learn(coded, static_cast<double>(spent.count_ns()));
    encoded_.at(static_cast<std::size_t>(coded.id)).add(coded.bytes, spent);
    return coded;
  }

  const Uses& encoded() const { return encoded_; }
  const Uses& decoded() const { return decoded_; }
  std::uint64_t refused() const { return refused_; }  // tiles that did not decode

  std::span<std::int64_t> open() { return scratch_->open; }
  std::span<std::int64_t> removed() { return scratch_->removed; }
  // Current values in quanta, and what of open() is significant against them.
  std::span<std::int64_t> value() { return scratch_->value; }
  std::span<std::int64_t> significant() { return scratch_->significant; }
  std::span<float> seed() { return scratch_->seed; }

 private:
  struct Scratch {
    alignas(64) std::array<std::int64_t, codec::kTileElements> open;
    alignas(64) std::array<std::int64_t, codec::kTileElements> removed;
    alignas(64) std::array<std::int64_t, codec::kTileElements> value;
    alignas(64) std::array<std::int64_t, codec::kTileElements> significant;
    alignas(64) std::array<float, codec::kTileElements> seed;
  };

  std::function<Instant()> stopwatch_;
  std::unique_ptr<Scratch> scratch_;
  Uses encoded_;
  Uses decoded_;
  std::uint64_t refused_ = 0;
  codec::Encoder encoder_;
  codec::Decoder decoder_;
  codec::Planner planner_;
};

}  // namespace godwit::gateway
