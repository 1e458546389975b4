// What encoder and decoder promise together, on every kind of tile and for any budget.
#include <cstring>

#include <gtest/gtest.h>

#include "codec/catalog.h"
#include "codec/codec.h"
#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec {
namespace {

using testing::size_of;
using testing::Tile;
using testing::tiles;

double energy_of(const std::vector<std::int64_t>& values) {
  double sum = 0;
  for (const auto value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return sum;
}

// Encodes, decodes, and checks everything that must hold for any budget.
class Exchange : public ::testing::Test {
 protected:
  Encoded run(const std::vector<std::int64_t>& open, Budget budget) {
    removed_.assign(open.size(), 77);
    out_.assign(std::min(budget.bytes, coded_bytes_max(open.size())), std::byte{0xee});
    const Encoded done = encoder_.encode(budget, out_, removed_);
    EXPECT_LE(done.bytes, budget.bytes);
    const double energy = energy_of(open);
    EXPECT_NEAR(done.energy_before, energy, energy * 1e-9);
    rest_ = open;
    std::uint64_t largest = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      rest_[i] -= removed_[i];
      EXPECT_LE(size_of(rest_[i]), size_of(open[i])) << i;
      largest = std::max(largest, size_of(rest_[i]));
    }
    EXPECT_EQ(done.remainder_max, largest);
    EXPECT_NEAR(done.energy_after, energy_of(rest_), energy * 1e-9);
    if (done.bytes != 0) {
      // A copy of exactly the coded size, so that reading beyond it is an error under ASan.
      const std::vector<std::byte> coded(out_.begin(),
                                         out_.begin() + static_cast<std::ptrdiff_t>(done.bytes));
      std::vector<std::int64_t> decoded(open.size(), -1);
      const auto result = decoder_.decode(done.id, coded, decoded);
      EXPECT_TRUE(result.has_value()) << result.error().message;
      EXPECT_EQ(decoded, removed_);
    }
    return done;
  }

  Encoder encoder_;
  Decoder decoder_;
  std::vector<std::byte> out_;
  std::vector<std::int64_t> removed_;
  std::vector<std::int64_t> rest_;
};

TEST_F(Exchange, TheDecoderProducesWhatTheEncoderRemovedForEveryBudget) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    encoder_.load(tile.values);
    const bool zero = energy_of(tile.values) == 0;
    for (const unsigned bytes : {0U,
                                 1U,
                                 2U,
                                 5U,
                                 9U,
                                 20U,
                                 60U,
                                 150U,
                                 384U,
                                 800U,
                                 2000U,
                                 4096U,
                                 9000U,
                                 30000U,
                                 70000U,
                                 120000U,
                                 260000U}) {
      SCOPED_TRACE(bytes);
      const Encoded done = run(tile.values, {bytes});
      if (bytes >= kProgressBytes && !zero) {
        EXPECT_LT(done.energy_after, done.energy_before);
      }
    }
  }
}

// The choice of the codec, its step and its depth too.
TEST_F(Exchange, IsTheSameOnEveryInstructionSet) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    for (const Budget budget :
         {Budget{20}, {150}, {800}, {9'000}, {.bytes = 300'000, .floor = 100}, {}}) {
      SCOPED_TRACE(budget.bytes);
      encoder_.load(tile.values);
      const Encoded here = run(tile.values, budget);
      const auto bytes_here = out_;
      const auto removed_here = removed_;
      for (const std::int64_t target : testing::targets()) {
        testing::choose(target);
        encoder_.load(tile.values);
        const Encoded there = run(tile.values, budget);
        testing::choose(0);
        ASSERT_EQ(there.id, here.id) << hwy::TargetName(target);
        ASSERT_EQ(there.bytes, here.bytes) << hwy::TargetName(target);
        ASSERT_EQ(there.energy_before, here.energy_before) << hwy::TargetName(target);
        ASSERT_EQ(there.energy_after, here.energy_after) << hwy::TargetName(target);
        ASSERT_TRUE(std::equal(out_.begin(),
                               out_.begin() + static_cast<std::ptrdiff_t>(here.bytes),
                               bytes_here.begin()));
        ASSERT_EQ(removed_, removed_here) << hwy::TargetName(target);
      }
    }
  }
}

// A list and planes that remove the same: what is left is added up in two orders, and its last bits
// decide.
TEST_F(Exchange, IsTheSameOnEveryInstructionSetWhereAListAndPlanesTie) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    auto tile = testing::uniform(kTileElements, 31, random);
    tile[0] = std::int64_t{23} << 30U;
    std::vector<std::byte> out(8);
    removed_.resize(tile.size());
    const auto encode = [&](std::int64_t target) {
      testing::choose(target);
      encoder_.load(tile);
      const Encoded done = encoder_.encode({8}, out, removed_, {.finer_steps = false});
      testing::choose(0);
      return done;
    };
    const Encoded here = encode(0);
    const auto bytes_here = out;
    ASSERT_GT(removed_[0], 0);
    for (const std::int64_t target : testing::targets()) {
      ASSERT_EQ(encode(target).id, here.id) << hwy::TargetName(target) << ", seed " << seed;
      ASSERT_EQ(out, bytes_here) << hwy::TargetName(target) << ", seed " << seed;
    }
  }
}

TEST_F(Exchange, MoreBytesRemoveMoreOfAGaussianTile) {
  Random random(3);
  const auto tile = testing::gaussian(kTileElements, 1e7, random);
  encoder_.load(tile);
  double before = energy_of(tile);
  for (std::size_t bytes = 400; bytes < 60000; bytes += bytes / 3) {
    const Encoded done = run(tile, {bytes});
    EXPECT_LT(done.energy_after, before) << bytes;
    EXPECT_GT(done.bytes, bytes * 9 / 10) << "the budget is used";
    before = done.energy_after;
  }
}

TEST_F(Exchange, DrainingReachesZeroWithASmallBudgetPerCall) {
  for (const Tile& tile : tiles()) {
    if (tile.values.size() > 4096 && tile.values.size() < kTileElements) {
      continue;
    }
    SCOPED_TRACE(tile.name);
    std::vector<std::int64_t> open = tile.values;
    const std::size_t budget = open.size() > 4096 ? 4096 : kProgressBytes;
    int calls = 0;
    for (; energy_of(open) > 0 && calls < 3000; ++calls) {
      encoder_.load(open);
      const Encoded done = run(open, {budget});
      ASSERT_LT(energy_of(rest_), energy_of(open)) << calls << " bytes " << done.bytes;
      open = rest_;
    }
    EXPECT_EQ(energy_of(open), 0);
  }
}

TEST_F(Exchange, AFloorBoundsEveryRemainder) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    std::vector<std::int64_t> open = tile.values;
    for (const std::uint64_t floor : {0ULL, 1ULL, 5ULL, 1000ULL, 1ULL << 30U, 1ULL << 61U}) {
      SCOPED_TRACE(floor);
      open = tile.values;
      for (int calls = 0; calls < 6; ++calls) {
        encoder_.load(open);
        const Encoded done = run(open, {.floor = floor});
        open = rest_;
        if (done.remainder_max <= floor) {
          break;
        }
      }
      for (const auto value : open) {
        ASSERT_LE(size_of(value), floor);
      }
    }
  }
}

TEST_F(Exchange, NothingIsLongerThanRaw) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    encoder_.load(tile.values);
    std::uint64_t largest = 0;
    for (const auto value : tile.values) {
      largest = std::max(largest, size_of(value));
    }
    const std::size_t width = largest == 0 ? 0 : std::bit_width(largest) + 1;
    const std::size_t raw = 1 + (width * tile.values.size() + 7) / 8;
    EXPECT_LE(run(tile.values, {}).bytes, raw);
    EXPECT_LE(run(tile.values, {raw}).bytes, raw);
    EXPECT_LE(run(tile.values, {raw - 1}).bytes, raw - 1);
  }
}

TEST_F(Exchange, NorIsAFixedRate) {
  Random random(5);
  std::vector<std::byte> out(kTileElements * 2);
  for (const auto& [id, code_bytes] : {std::pair{Id::kQ8, 33'024U}, {Id::kQ4, 16'640U}}) {
    for (const std::int64_t size : {0, 1, 7, 8, 63, 127, 128, 1'000'000}) {
      SCOPED_TRACE(fmt::format("{} of {}", code_bytes, size));
      const auto tile = testing::constant(kTileElements, size, random);
      const auto width = size == 0 ? 0U : static_cast<unsigned>(std::bit_width(size_of(size))) + 1U;
      const std::size_t raw = 1 + (width * kTileElements + 7) / 8;
      std::vector<std::int64_t> removed(kTileElements);
      const Encoded coded = encoder_.encode_fixed_rate(id, tile, out, removed);
      EXPECT_EQ(coded.bytes, std::min<std::size_t>(raw, code_bytes));
      EXPECT_EQ(coded.id, raw <= code_bytes ? Id::kRaw : id);
      EXPECT_TRUE(coded.id != Id::kRaw || removed == tile);
    }
  }
}

}  // namespace
}  // namespace godwit::codec
