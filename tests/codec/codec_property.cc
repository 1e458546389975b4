// Laws of the codec for drawn tiles and budgets.
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "codec/codec.h"
#include "dataplane/base/random.h"

namespace godwit::codec {
namespace {

// Runs of values of widely different widths, so that sub-blocks differ.
std::vector<std::int64_t> drawn_tile() {
  const auto runs = *rc::gen::container<std::vector<std::pair<int, std::uint32_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 62), rc::gen::arbitrary<std::uint32_t>()));
  std::vector<std::int64_t> tile = {1};
  for (const auto& [bits, seed] : runs) {
    std::uint64_t state = seed;
    for (std::uint32_t i = 0; i < 1 + seed % 700 && tile.size() < kTileElements; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const auto size = static_cast<std::int64_t>(state >> (64U - static_cast<unsigned>(bits) - 1));
      tile.push_back(state % 2 == 0 ? size / 2 : -(size / 2));
    }
  }
  return tile;
}

RC_GTEST_PROP(Codec, WhatIsRemovedIsDecodedAndNeverTooMuch, ()) {
  static Encoder encoder;
  static Decoder decoder;
  const auto open = drawn_tile();
  const auto budget = *rc::gen::oneOf(rc::gen::inRange<std::size_t>(1, 600),
                                      rc::gen::inRange<std::size_t>(1, 300000));
  std::vector<std::byte> out(coded_bytes_max(open.size()));
  std::vector<std::int64_t> removed(open.size());
  std::vector<std::int64_t> decoded(open.size());
  encoder.load(open);
  const Encoded done = encoder.encode({budget}, out, removed);
  RC_ASSERT(done.bytes >= 1U && done.bytes <= budget);
  RC_ASSERT(decoder.decode(done.id, std::span(out).first(done.bytes), decoded).has_value());
  RC_ASSERT(decoded == removed);
  for (std::size_t i = 0; i < open.size(); ++i) {
    RC_ASSERT(std::abs(open[i] - removed[i]) <= std::abs(open[i]));
  }
  RC_ASSERT(done.energy_after <= done.energy_before);
  if (budget >= kProgressBytes) {
    RC_ASSERT(done.energy_after < done.energy_before);
  }
}

// Some rows of any width, from anywhere; a few of their elements are 0 as well.
std::vector<std::int64_t> drawn_rows() {
  const auto width = *rc::gen::inRange<std::size_t>(8, 400);
  const auto phase = *rc::gen::inRange<std::size_t>(0, width);
  const auto every = *rc::gen::inRange<std::uint64_t>(1, 30);
  std::vector<std::int64_t> tile(*rc::gen::inRange<std::size_t>(1, kTileElements + 1));
  Random random(*rc::gen::arbitrary<std::uint32_t>());
  const auto bits = *rc::gen::inRange<unsigned>(2, 62);
  bool touched = false;
  for (std::size_t i = 0; i < tile.size(); ++i) {
    touched = i == 0 || i % width == phase ? random.below(every) == 0 : touched;
    const auto size = static_cast<std::int64_t>(random.next() >> (64U - bits));
    tile[i] = !touched || random.below(50) == 0 ? 0 : random.chance(0.5) ? size : -size;
  }
  tile[0] = 1;
  return tile;
}

RC_GTEST_PROP(Codec, RowsAreWhatIsDecodedAndNoWorseThanPlanesByMuch, ()) {
  static Encoder encoder;
  static Decoder decoder;
  const auto open = drawn_rows();
  const auto budget = *rc::gen::inRange<std::size_t>(kProgressBytes, 20'000);
  const auto floor = *rc::gen::elementOf(std::vector<std::uint64_t>{0, 0, 1, 1000});
  std::vector<std::byte> out(budget);
  std::vector<std::int64_t> removed(open.size());
  std::vector<std::int64_t> decoded(open.size());
  encoder.load(open);
  const Encoded planes = encoder.encode({budget, floor}, out, removed, {.row = false});
  const Encoded done = encoder.encode({budget, floor}, out, removed);
  RC_CLASSIFY(done.id == Id::kRow);
  RC_ASSERT(decoder.decode(done.id, std::span(out).first(done.bytes), decoded).has_value());
  RC_ASSERT(decoded == removed);
  double energy = 0;
  std::uint64_t largest = 0;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const std::int64_t left = open[i] - removed[i];
    RC_ASSERT(std::abs(left) <= std::abs(open[i]));
    energy += static_cast<double>(left) * static_cast<double>(left);
    largest = std::max(largest, static_cast<std::uint64_t>(std::abs(left)));
  }
  RC_ASSERT(done.remainder_max == largest);
  RC_ASSERT(std::fabs(done.energy_after - energy) <= 1e-9 * done.energy_before);
  RC_ASSERT(done.energy_after <= 1.1 * planes.energy_after + 0.001 * done.energy_before ||
            done.bytes < planes.bytes);
}

RC_GTEST_PROP(Codec, MergingWhileDrainingLosesNothing, ()) {
  static Encoder encoder;
  static Decoder decoder;
  // P and S of one tile, with changes arriving between transfers, and R at the other end.
  auto sum = drawn_tile();
  std::vector<std::int64_t> sent(sum.size());
  std::vector<std::int64_t> received(sum.size());
  std::vector<std::int64_t> open(sum.size());
  std::vector<std::int64_t> removed(sum.size());
  std::vector<std::byte> out(coded_bytes_max(sum.size()));
  const auto change = *rc::gen::inRange<std::int64_t>(-100000, 100000);
  for (std::size_t turn = 0; turn < 400; ++turn) {
    for (std::size_t i = turn % 7; turn < 3 && i < sum.size(); i += 7) {
      sum[i] = sum[i] / 2 + change;
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      open[i] = sum[i] - sent[i];
    }
    encoder.load(open);
    if (turn >= 3 && encoder.max_abs() == 0) {
      RC_ASSERT(received == sum);
      return;
    }
    const Encoded done = encoder.encode({std::size_t{4096}}, out, removed);
    RC_ASSERT(decoder.decode(done.id, std::span(out).first(done.bytes), open).has_value());
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sent[i] += removed[i];
      received[i] += open[i];
    }
  }
  RC_FAIL("not drained in 400 turns");
}

}  // namespace
}  // namespace godwit::codec
