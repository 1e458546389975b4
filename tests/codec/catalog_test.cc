// Every codec of the catalog through every law: a new entry is tested by being there.
#include "codec/catalog.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"
#include "tests/support/allocation_guard.h"

namespace godwit::codec {
namespace {

using testing::size_of;
using testing::Tile;
using testing::tiles;

class EveryCodec : public ::testing::TestWithParam<Entry> {
 protected:
  std::unique_ptr<TileEncoder> encoder_ = GetParam().make_encoder();
  std::unique_ptr<TileDecoder> decoder_ = GetParam().make_decoder();

  std::vector<std::byte> encoded(const std::vector<std::int64_t>& open, Budget budget) {
    removed_.assign(open.size(), 99);
    std::vector<std::byte> out(coded_bytes_max(open.size()));
    encoder_->load(open);
    done_ = encoder_->encode(budget, out, removed_);
    out.resize(done_.bytes);
    out.shrink_to_fit();  // one byte too far is an error under ASan
    return out;
  }

  // Decodes into the middle of a larger buffer, and checks that nothing around it was written.
  bool decodes(std::span<const std::byte> coded, std::size_t elements) {
    constexpr std::int64_t kCanary = 0x5a5a5a5a5a5a5a5a;
    std::vector<std::int64_t> buffer(elements + 32, kCanary);
    const auto out = std::span(buffer).subspan(16, elements);
    const auto result = decoder_->decode(coded, out);
    EXPECT_TRUE(
        std::all_of(buffer.begin(), buffer.begin() + 16, [](auto x) { return x == kCanary; }));
    EXPECT_TRUE(std::all_of(buffer.end() - 16, buffer.end(), [](auto x) { return x == kCanary; }));
    if (!result) {
      EXPECT_EQ(result.error().code, Code::kCorrupt);
      return false;
    }
    decoded_.assign(out.begin(), out.end());
    for (const auto value : decoded_) {
      EXPECT_LT(size_of(value), std::uint64_t{kValueLimit});
    }
    return true;
  }

  std::vector<std::int64_t> removed_;
  std::vector<std::int64_t> decoded_;
  Encoded done_;
};

TEST_P(EveryCodec, DecodesWhatItRemovedForEveryBudget) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    for (const unsigned bytes : {0U, 1U, 3U, 4U, 17U, 100U, 777U, 5000U, 50000U, 300000U}) {
      SCOPED_TRACE(bytes);
      const auto coded = encoded(tile.values, {bytes});
      EXPECT_LE(coded.size(), bytes);
      EXPECT_LE(coded.size(), coded_bytes_max(tile.values.size()));
      if (coded.empty()) {
        EXPECT_TRUE(std::all_of(removed_.begin(), removed_.end(), [](auto x) { return x == 0; }));
        continue;
      }
      EXPECT_EQ(done_.id, GetParam().id);
      ASSERT_TRUE(decodes(coded, tile.values.size()));
      EXPECT_EQ(decoded_, removed_);
    }
  }
}

// Wherever a budget ends, between segments or within one: the code is whole, and what it removed.
TEST_P(EveryCodec, MayBeCutAtEveryByte) {
  for (const Tile& tile : tiles()) {
    if (tile.values.size() > 300) {
      continue;
    }
    SCOPED_TRACE(tile.name);
    const std::size_t whole = encoded(tile.values, {}).size();
    const double all = done_.energy_before;
    for (std::size_t bytes = 0; bytes <= whole; ++bytes) {
      const auto coded = encoded(tile.values, {bytes});
      ASSERT_LE(coded.size(), bytes);
      ASSERT_LE(done_.energy_after, all);
      if (!coded.empty()) {
        ASSERT_TRUE(decodes(coded, tile.values.size())) << bytes;
        ASSERT_EQ(decoded_, removed_) << bytes;
      } else if (!GetParam().progressive) {
        ASSERT_LT(bytes, whole);
      }
    }
  }
}

TEST_P(EveryCodec, IsTheSameOnEveryInstructionSet) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    for (const unsigned bytes : {50U, 700U, 9000U, 300000U}) {
      const auto here = encoded(tile.values, {bytes});
      const auto removed_here = removed_;
      for (const std::int64_t target : testing::targets()) {
        testing::choose(target);
        const auto there = encoded(tile.values, {bytes});
        const bool decoded = there.empty() || decodes(there, tile.values.size());
        testing::choose(0);
        ASSERT_EQ(there, here) << hwy::TargetName(target);
        ASSERT_EQ(removed_, removed_here) << hwy::TargetName(target);
        ASSERT_TRUE(decoded && (there.empty() || decoded_ == removed_)) << hwy::TargetName(target);
      }
    }
  }
}

TEST_P(EveryCodec, AllocatesNothing) {
  for (const Tile& tile : tiles()) {
    SCOPED_TRACE(tile.name);
    removed_.resize(tile.values.size());
    decoded_.resize(tile.values.size());
    std::vector<std::byte> out(coded_bytes_max(tile.values.size()));
    for (const unsigned bytes : {40U, 900U, 300000U}) {
      const testing_support::AllocationGuard guard;
      encoder_->load(tile.values);
      done_ = encoder_->encode({bytes}, out, removed_);
      const bool decoded =
          done_.bytes == 0 || decoder_->decode(std::span(out).first(done_.bytes), decoded_);
      EXPECT_EQ(guard.allocations(), 0U) << bytes;
      EXPECT_TRUE(decoded);
    }
  }
}

TEST_P(EveryCodec, RefusesACodeThatIsCutOrExtended) {
  for (const Tile& tile : tiles()) {
    if (tile.values.size() > 5000) {
      continue;
    }
    SCOPED_TRACE(tile.name);
    for (const unsigned budget : {60U, 300U, 100000U}) {
      auto coded = encoded(tile.values, {budget});
      const std::size_t step = 1 + coded.size() / 97;
      for (std::size_t size = 0; size < coded.size(); size += step) {
        const std::vector<std::byte> cut(coded.begin(),
                                         coded.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(decodes(cut, tile.values.size())) << size << " of " << coded.size();
      }
      if (!coded.empty()) {
        coded.push_back(std::byte{0});
        EXPECT_FALSE(decodes(coded, tile.values.size()));
      }
    }
  }
}

TEST_P(EveryCodec, SurvivesFlippedBits) {
  Random random(7);
  for (const Tile& tile : tiles()) {
    const auto coded = encoded(tile.values, {3000});
    for (int round = 0; round < 40 && !coded.empty(); ++round) {
      auto wrong = coded;
      for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
        // Half of the flips hit the first bytes, where the counts are.
        const std::size_t at = random.below(
            random.chance(0.5) ? std::min<std::size_t>(wrong.size(), 12) : wrong.size());
        wrong[at] ^= static_cast<std::byte>(1U << random.below(8));
      }
      decodes(wrong, tile.values.size());
    }
    // The same decoder still works.
    if (!coded.empty()) {
      ASSERT_TRUE(decodes(coded, tile.values.size()));
      EXPECT_EQ(decoded_, removed_);
    }
  }
}

TEST_P(EveryCodec, SurvivesNoiseAndAWrongShape) {
  Random random(8);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> noise(random.below(round % 10 == 0 ? 9000 : 60));
    for (auto& byte : noise) {
      byte = static_cast<std::byte>(random.next() & (random.chance(0.3) ? 1U : 255U));
    }
    decodes(noise, 1 + random.below(kTileElements));
  }
  for (const Tile& tile : tiles()) {
    const auto coded = encoded(tile.values, {2000});
    decodes(coded, 1 + random.below(kTileElements));
  }
}

TEST_P(EveryCodec, GivesEqualBytesForEqualTiles) {
  for (const Tile& tile : tiles()) {
    const auto first = encoded(tile.values, {1500});
    encoded(std::vector<std::int64_t>(5000, 123456789), {100});  // nothing is remembered
    const auto other = GetParam().make_encoder();
    std::vector<std::byte> out(1500);
    other->load(tile.values);
    out.resize(
        other->encode({1500}, out, removed_ = std::vector<std::int64_t>(tile.values.size())).bytes);
    EXPECT_EQ(out, first) << tile.name;
    EXPECT_EQ(encoded(tile.values, {1500}), first) << tile.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog,
                         EveryCodec,
                         ::testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& each) {
                           std::string name(each.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Catalog, IsOrderedAndNamesEveryId) {
  std::set<std::string_view> names;
  int before = -1;
  for (const Entry& entry : catalog()) {
    EXPECT_GT(static_cast<int>(entry.id), before);
    before = static_cast<int>(entry.id);
  }
  for (std::uint8_t id = 0; id < 8; ++id) {
    EXPECT_TRUE(names.insert(to_string(Id{id})).second) << unsigned{id};
  }
  EXPECT_EQ(to_string(Id{200}), "unknown");
}

TEST(Catalog, DecodingAReservedOrUnknownIdIsUnsupported) {
  Decoder decoder;
  std::vector<std::int64_t> out(10);
  const std::vector<std::byte> coded(10);
  for (const unsigned id : {4U, 7U, 8U, 255U}) {
    const auto result = decoder.decode(static_cast<Id>(id), coded, out);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Code::kUnsupported);
  }
}

}  // namespace
}  // namespace godwit::codec
