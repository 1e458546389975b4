// Memory that is kept for the next one: the table of streams, free blocks, the library's memory.

#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "dataplane/transport/free_blocks.h"
#include "dataplane/transport/library_memory.h"
#include "dataplane/transport/quic_session.h"
#include "dataplane/transport/stream_table.h"
#include "tests/dataplane/transport/world.h"
#include "tests/support/allocation_guard.h"

namespace godwit::transport {
namespace {

constexpr std::size_t kTooMuch = std::numeric_limits<std::size_t>::max();

// Against a std::map, with streams that follow one another and streams of one place.
RC_GTEST_PROP(StreamTable, IsAMap, (std::uint64_t seed)) {
  Random random(seed);
  StreamTable<int> table;
  std::map<std::int64_t, int> expected;
  const std::int64_t stride = random.chance(0.5) ? 4 : 4 * 64;
  for (int step = 1; step < 600; ++step) {
    const auto stream =
        static_cast<std::int64_t>(random.below(80)) * stride + static_cast<int>(random.below(2));
    if (random.chance(0.5)) {
      RC_ASSERT(table.erase(stream) == (expected.erase(stream) > 0));
    } else {
      table[stream] += step;
      expected[stream] += step;
    }
    RC_ASSERT(table.size() == expected.size());
    RC_ASSERT(table.empty() == expected.empty());
    const auto found = expected.find(stream);
    const int* const value = table.find(stream);
    const bool is_right =
        found == expected.end() ? value == nullptr : value != nullptr && *value == found->second;
    RC_ASSERT(is_right);
  }
  for (const auto& [stream, value] : expected) {
    RC_ASSERT(table.at(stream) == value);
  }
}

TEST(StreamTable, AllocatesNothingOnceItWasAsFull) {
  constexpr std::int64_t kOpen = 2'000;
  StreamTable<int> table;
  std::int64_t next = 0;
  const auto open = [&] { table[4 * next++] = 1; };
  while (next < kOpen) {
    open();
  }
  const testing_support::AllocationGuard guard;
  while (next < 5 * kOpen) {
    EXPECT_TRUE(table.erase(4 * (next - kOpen)));
    open();
  }
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_EQ(table.size(), static_cast<std::size_t>(kOpen));
}

TEST(StreamTableDeathTest, HasNoEntryThatWasNotMade) {
  StreamTable<int> table;
  table[4] = 1;
  EXPECT_EQ(table.at(4), 1);
  EXPECT_DEATH(static_cast<void>(table.at(8)), "unknown stream");
}

TEST(FreeBlocks, KeepsUpToItsLimitAndLendsTheSameAgain) {
  constexpr std::array<std::size_t, 2> kSizes = {64, 1000};
  FreeBlocks blocks(kSizes, 2'100);
  EXPECT_EQ(blocks.kind_of(1), 0U);
  EXPECT_EQ(blocks.kind_of(64), 0U);
  EXPECT_EQ(blocks.kind_of(65), 1U);
  EXPECT_EQ(blocks.kind_of(1001), 2U);
  std::array<std::byte*, 3> large{};
  for (std::byte*& block : large) {
    block = blocks.take(1);
    std::memset(block, 7, 1000);
  }
  EXPECT_EQ(blocks.bytes_in_use(), 3'000U);
  for (std::byte* block : large) {
    blocks.give_back(block, 1);
  }
  EXPECT_EQ(blocks.bytes_in_use(), 0U);
  EXPECT_EQ(blocks.bytes_idle(), 2'000U) << "a third one would be more than the limit";
  const testing_support::AllocationGuard guard;
  EXPECT_EQ(blocks.take(1), large[1]);
  EXPECT_EQ(blocks.take(1), large[0]);
  EXPECT_EQ(guard.allocations(), 0U);
  blocks.give_back(large[0], 1);
  blocks.give_back(large[1], 1);
}

TEST(FreeBlocksDeathTest, NoBlockOutlivesThem) {
  const auto lose_one = [] {
    LibraryMemory memory;
    static_cast<void>(memory.allocate(10));
  };
  EXPECT_DEATH(lose_one(), "outlives");
  const auto lose_a_large_one = [] {
    LibraryMemory memory;
    static_cast<void>(memory.allocate(1'000'000));
  };
  EXPECT_DEATH(lose_a_large_one(), "outlives");
}

// What the library sees of its memory: blocks apart from one another, aligned as malloc aligns,
// whose bytes stay until they are given back.
class LibraryBlocks {
 public:
  explicit LibraryBlocks(std::uint64_t seed) : random_(seed) {}
  ~LibraryBlocks() {
    for (const Block& block : blocks_) {
      functions_.free(block.memory, functions_.user_data);
    }
  }
  LibraryBlocks(const LibraryBlocks&) = delete;
  LibraryBlocks& operator=(const LibraryBlocks&) = delete;

  bool is_sound() const {
    for (const Block& block : blocks_) {
      if (reinterpret_cast<std::uintptr_t>(block.memory) % alignof(std::max_align_t) != 0) {
        return false;
      }
      for (std::size_t at = 0; at < block.bytes; ++at) {
        if (block.memory[at] != block.mark) {
          return false;
        }
      }
    }
    return true;
  }
  void step() {
    const std::size_t bytes = size();
    switch (random_.below(4)) {
      case 0:
        add(functions_.malloc(bytes, functions_.user_data), bytes);
        break;
      case 1: {
        const std::size_t count = 1 + random_.below(4);
        auto* const memory =
            static_cast<unsigned char*>(functions_.calloc(count, bytes, functions_.user_data));
        for (std::size_t at = 0; at < count * bytes; ++at) {
          zeroed_ = zeroed_ && memory[at] == 0;
        }
        add(memory, count * bytes);
        break;
      }
      case 2: {
        Block former = take_one();
        auto* const memory = static_cast<unsigned char*>(
            functions_.realloc(former.memory, bytes, functions_.user_data));
        for (std::size_t at = 0; at < std::min(bytes, former.bytes); ++at) {
          kept_ = kept_ && memory[at] == former.mark;
        }
        add(memory, bytes);
        break;
      }
      default:
        functions_.free(take_one().memory, functions_.user_data);
        break;
    }
  }
  bool zeroed() const { return zeroed_; }
  bool kept() const { return kept_; }

 private:
  struct Block {
    unsigned char* memory = nullptr;
    std::size_t bytes = 0;
    unsigned char mark = 0;
  };
  std::size_t size() {
    if (random_.chance(0.02)) {
      return random_.below(250'000);  // some are larger than all blocks
    }
    return random_.below(random_.chance(0.5) ? 100 : 5'000);
  }
  void add(void* memory, std::size_t bytes) {
    const auto mark = static_cast<unsigned char>(random_.below(256));
    std::memset(memory, mark, bytes);
    blocks_.push_back({static_cast<unsigned char*>(memory), bytes, mark});
  }
  // An empty one when there is none, or now and then.
  Block take_one() {
    if (blocks_.empty() || random_.chance(0.1)) {
      return {};
    }
    std::swap(blocks_[random_.below(blocks_.size())], blocks_.back());
    const Block block = blocks_.back();
    blocks_.pop_back();
    return block;
  }

  Random random_;
  LibraryMemory memory_;
  const ngtcp2_mem& functions_ = *memory_.functions();
  std::vector<Block> blocks_;
  bool zeroed_ = true;
  bool kept_ = true;
};

RC_GTEST_PROP(LibraryMemory, IsMalloc, (std::uint64_t seed)) {
  LibraryBlocks blocks(seed);
  for (int step = 0; step < 100; ++step) {
    blocks.step();
  }
  RC_ASSERT(blocks.zeroed());
  RC_ASSERT(blocks.kept());
  RC_ASSERT(blocks.is_sound());
}

TEST(LibraryMemory, RefusesSizesThatOverflow) {
  LibraryMemory memory;
  EXPECT_EQ(memory.allocate(kTooMuch), nullptr);
  EXPECT_EQ(memory.allocate(kTooMuch - 8), nullptr);
  EXPECT_EQ(memory.allocate_zeroed(kTooMuch / 2, 3), nullptr);
  EXPECT_EQ(memory.allocate_zeroed(3, kTooMuch / 2), nullptr);
  auto* const small = static_cast<char*>(memory.allocate(4));
  std::memcpy(small, "abc", 4);
  EXPECT_EQ(memory.reallocate(small, kTooMuch), nullptr);
  EXPECT_STREQ(small, "abc") << "what was there before stays";
  memory.release(small);
  EXPECT_EQ(memory.bytes_in_use(), 0U);
}

TEST(LibraryMemory, AsksTheSystemForNothingTwice) {
  LibraryMemory memory;
  std::vector<void*> blocks(500);
  const auto once = [&] {
    std::size_t bytes = 1;
    for (void*& block : blocks) {
      block = memory.allocate(bytes);
      bytes = bytes * 17 % 7'919;
    }
    for (void* block : blocks) {
      memory.release(block);
    }
  };
  once();
  EXPECT_EQ(memory.bytes_in_use(), 0U);
  const testing_support::AllocationGuard guard;
  for (int round = 0; round < 100; ++round) {
    once();
  }
  EXPECT_EQ(guard.allocations(), 0U);
  void* const huge = memory.allocate(LibraryMemory::kIdleMax);
  EXPECT_GE(memory.bytes_in_use(), LibraryMemory::kIdleMax);
  memory.release(huge);
  EXPECT_LE(memory.bytes_idle(), LibraryMemory::kIdleMax);
}

// Of both roles, and everything is back when they are gone.
TEST(LibraryMemory, IsWhereConnectionsLive) {
  const Instant now = Instant::from_ns(1'000'000'000);
  const auto address = port::Peer::v4({10, 0, 0, 1}, 4433);
  const auto tls = TlsContext::from_pem(testing::authority().certificate,
                                        testing::issue("fra"),
                                        {.unix_seconds = testing::test_unix_seconds})
                       .value();
  Random random(1);
  LinkShaper shaper;
  const auto share = [&] {
    return std::unique_ptr<QuicShared>(new QuicShared{.options = {},
                                                      .tls = *tls,
                                                      .random = random,
                                                      .pool = BufferPool(),
                                                      .memory = LibraryMemory(),
                                                      .connections = {}});
  };
  const QuicSetup setup{.local = address,
                        .remote = address,
                        .allowed_sites = {},
                        .shaper = &shaper,
                        .congestion = {},
                        .proof = {}};
  const auto dialling = share();
  auto dialled = QuicSession::dial(now, *dialling, setup);
  std::array<std::byte, 2'000> greeting{};
  const auto built = dialled->next_train(now, greeting, 1);
  ngtcp2_pkt_hd initial{};
  ASSERT_EQ(
      ngtcp2_accept(&initial, reinterpret_cast<const std::uint8_t*>(greeting.data()), built.bytes),
      0);
  const auto accepting = share();
  auto accepted = QuicSession::accept(now, *accepting, setup, initial);
  // The library's connection alone has about 8 KiB in both versions.
  EXPECT_GT(dialling->memory.bytes_in_use(), 4'096U);
  EXPECT_GT(accepting->memory.bytes_in_use(), 4'096U);
  dialled.reset();
  accepted.reset();
  EXPECT_EQ(dialling->memory.bytes_in_use(), 0U);
  EXPECT_EQ(accepting->memory.bytes_in_use(), 0U);
}

}  // namespace
}  // namespace godwit::transport
