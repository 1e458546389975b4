// The small parts: buffers, send queue, control framing, shaper.

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "dataplane/transport/buffer.h"
#include "dataplane/transport/control_framing.h"
#include "dataplane/transport/send_queue.h"
#include "dataplane/transport/session.h"
#include "dataplane/transport/shaper.h"

namespace godwit::transport {
namespace {

std::vector<std::byte> some_bytes(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; ++at) {
    bytes[at] = static_cast<std::byte>(at * 13 + seed + at / 256);
  }
  return bytes;
}

TEST(Buffer, MovesItsBytesAndGivesThemBack) {
  BufferPool pool;
  {
    Buffer first = pool.take_copy(some_bytes(5000, 1));
    EXPECT_EQ(pool.bytes_in_use(), BufferPool::kSizes[2]);
    Buffer second = std::move(first);
    EXPECT_EQ(second.size(), 5000U);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  }
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  EXPECT_EQ(pool.bytes_idle(), BufferPool::kSizes[2]);
}

TEST(Buffer, GrowsWithItsContents) {
  BufferPool pool;
  Buffer buffer = pool.take(10);
  const auto all = some_bytes(kTransferBytesMax, 2);
  for (std::size_t at = 0; at < all.size(); at += 1000) {
    const std::size_t count = std::min<std::size_t>(1000, all.size() - at);
    buffer = pool.grown(std::move(buffer), count);
    EXPECT_EQ(buffer.append(std::span(all).subspan(at, count)), count);
  }
  EXPECT_TRUE(std::ranges::equal(buffer.bytes(), all));
}

TEST(BufferPool, KeepsNoMoreIdleThanItsLimit) {
  BufferPool pool(10'000);
  {
    std::vector<Buffer> many;
    for (int count = 0; count < 50; ++count) {
      many.push_back(pool.take(1000));
    }
  }
  EXPECT_LE(pool.bytes_idle(), 10'000U);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
}

// Whatever the order of queueing, sending and acknowledging, the bytes come out as they went in
// and the limit holds.
RC_GTEST_PROP(SendQueue, ServesItsBytesInOrderAndFreesThem, ()) {
  BufferPool pool;
  constexpr std::uint64_t kLimit = 60'000;
  SendQueue queue(pool, kLimit);
  std::vector<std::byte> pushed;
  std::vector<std::byte> served;
  std::uint64_t acked = 0;
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  Random random(seed);
  for (int step = 0; step < 300; ++step) {
    switch (random.below(3)) {
      case 0: {
        const auto header = some_bytes(4, static_cast<unsigned>(step));
        const auto body = some_bytes(1 + random.below(9000), static_cast<unsigned>(step) + 1);
        const std::uint64_t before = queue.unacknowledged_bytes();
        if (queue.push(header, body)) {
          pushed.insert(pushed.end(), header.begin(), header.end());
          pushed.insert(pushed.end(), body.begin(), body.end());
        } else {
          RC_ASSERT(before + header.size() + body.size() > kLimit);
        }
        break;
      }
      case 1: {
        const auto next = queue.unsent();
        RC_ASSERT(next.empty() == (served.size() == pushed.size()));
        if (!next.empty()) {
          const std::size_t count = 1 + random.below(next.size());
          served.insert(served.end(), next.begin(), next.begin() + static_cast<long>(count));
          queue.mark_sent(count);
        }
        break;
      }
      default:
        acked += random.below(served.size() - acked + 1);
        queue.on_acked_until(acked);
        break;
    }
    RC_ASSERT(queue.unsent_bytes() == pushed.size() - served.size());
    RC_ASSERT(queue.unacknowledged_bytes() >= pushed.size() - acked);
    RC_ASSERT(queue.unacknowledged_bytes() <= kLimit);
    RC_ASSERT(queue.in_flight_bytes() == served.size() - acked);
  }
  RC_ASSERT(std::equal(served.begin(), served.end(), pushed.begin()));
}

RC_GTEST_PROP(ControlReader, FindsTheMessagesHoweverTheStreamIsCut, ()) {
  BufferPool pool;
  ControlReader reader(pool);
  const auto sizes =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 3000));
  std::vector<std::byte> stream;
  for (std::size_t index = 0; index < sizes.size(); ++index) {
    const auto header = control_header(sizes[index]);
    const auto body = some_bytes(sizes[index], static_cast<unsigned>(index));
    stream.insert(stream.end(), header.begin(), header.end());
    stream.insert(stream.end(), body.begin(), body.end());
  }
  std::size_t found = 0;
  std::span<const std::byte> rest(stream);
  while (!rest.empty()) {
    const std::size_t count =
        *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(rest.size(), 1500) + 1);
    auto piece = rest.first(count);
    rest = rest.subspan(count);
    while (auto message = reader.next(piece)) {
      RC_ASSERT(found < sizes.size());
      RC_ASSERT(std::ranges::equal(message->bytes(),
                                   some_bytes(sizes[found], static_cast<unsigned>(found))));
      ++found;
    }
    RC_ASSERT(piece.empty());
  }
  RC_ASSERT(found == sizes.size());
  RC_ASSERT(!reader.is_broken());
}

// As wire version 1 has it for ever (control.proto): u32, little endian, then the message.
TEST(ControlReader, ReadsTheFramesOfWireVersion1) {
  const std::array<std::byte, 4> golden = {
      std::byte{0x02}, std::byte{0x01}, std::byte{0x00}, std::byte{0x00}};
  EXPECT_EQ(control_header(258), golden);
  std::vector<std::byte> frame(golden.begin(), golden.end());
  const auto body = some_bytes(258, 1);
  frame.insert(frame.end(), body.begin(), body.end());
  BufferPool pool;
  ControlReader reader(pool);
  std::span<const std::byte> input(frame);
  const auto message = reader.next(input);
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(std::ranges::equal(message->bytes(), body));
  EXPECT_TRUE(input.empty());
}

TEST(ControlReader, BreaksOnLengthsOutsideTheLimits) {
  for (const std::uint32_t length :
       {std::uint32_t{0}, static_cast<std::uint32_t>(kControlBytesMax + 1), 0xffffffffU}) {
    BufferPool pool;
    ControlReader reader(pool);
    std::array<std::byte, 8> bytes{};
    for (std::size_t at = 0; at < 4; ++at) {
      bytes[at] = static_cast<std::byte>(length >> (8 * at));
    }
    std::span<const std::byte> input(bytes);
    EXPECT_FALSE(reader.next(input).has_value());
    EXPECT_TRUE(reader.is_broken());
    EXPECT_FALSE(reader.next(input).has_value());
    EXPECT_EQ(pool.bytes_in_use(), 0U);
  }
}

TEST(ControlReader, MemoryFollowsWhatCameNotWhatWasAnnounced) {
  BufferPool pool;
  ControlReader reader(pool);
  const auto header = control_header(kControlBytesMax);
  std::span<const std::byte> input(header);
  EXPECT_FALSE(reader.next(input).has_value());
  EXPECT_LE(pool.bytes_in_use(), BufferPool::kSizes.front());
}

TEST(LinkShaper, PassesNinetySevenPercentOfTheCapOverASecond) {
  const BitRate cap = BitRate::mbps(100);
  LinkShaper shaper(cap);
  const Instant start = Instant::from_ns(5'000'000'000);
  Instant now = start;
  std::uint64_t bytes = 0;
  while (now < start + Duration::ms(1000)) {
    now = std::max(now, shaper.ready_at());
    const std::uint64_t train = shaper.train_packets(1480) * 1480;
    shaper.charge(now, train, true);
    bytes += train;
  }
  // The credit of 64 KiB, 5.4 ms, may be used once, at the start.
  EXPECT_GE(static_cast<double>(bytes) * 8, 100e6 * 0.97);
  EXPECT_LE(static_cast<double>(bytes) * 8, 100e6 * 0.97 * 1.007);
}

// What a thread sends that always waits, and wakes up so much late each time.
struct LateThread {
  LinkShaper shaper;
  Instant now = Instant::from_ns(1'000'000'000);
  bool has_waited = true;
  std::uint64_t sent = 0;

  // What one wake-up lets through.
  std::uint64_t wake_up(Duration late) {
    now = std::max(now, shaper.ready_at()) + late;
    std::uint64_t burst = 0;
    while (shaper.allows(now)) {
      shaper.charge(now, 1000, has_waited);
      burst += 1000;
    }
    sent += burst;
    return burst;
  }
  // Without a late one.
  void go_on(Instant until) {
    while (now < until) {
      wake_up(Duration::zero());
    }
  }
  double megabits_since(Instant start) const {
    return static_cast<double>(sent) * 8e-6 / (now - start).to_seconds();
  }
};

// What the last of forty late wake-ups lets through, each 20 ms after the one before.
std::uint64_t last_burst(BitRate cap, bool has_waited) {
  LateThread thread{.shaper = LinkShaper(cap), .has_waited = has_waited};
  for (int i = 0; i < 39; ++i) {
    thread.wake_up(Duration::ms(20));
  }
  return thread.wake_up(Duration::ms(20));
}

TEST(LinkShaper, MakesUpAtOnceForWakeUpsThatAreLateAgainAndAgainButNotForIdleness) {
  // A slow link: 10 ms × 9.7 Mbit/s = 12,125 bytes.
  EXPECT_NEAR(static_cast<double>(last_burst(BitRate::mbps(10), true)), 12'125, 1'500);
  // One on which 64 KiB take less than that, 6.75 ms.
  EXPECT_NEAR(static_cast<double>(last_burst(BitRate::mbps(80), true)), 65'536, 3'500);
  // A fast one: 2 ms × 9.7 Gbit/s = 2,425,000 bytes.
  EXPECT_NEAR(static_cast<double>(last_burst(BitRate::mbps(10'000), true)), 2'425'000, 75'000);
  for (const auto cap : {BitRate::mbps(10), BitRate::mbps(80), BitRate::mbps(10'000)}) {
    EXPECT_EQ(last_burst(cap, false), 1000U);
  }
}

TEST(LinkShaper, KeepsItsRateOnAHostThatIsAlwaysLate) {
  LateThread thread{.shaper = LinkShaper(BitRate::mbps(50))};
  const Instant start = thread.now;
  while (thread.now < start + Duration::ms(2000)) {
    thread.wake_up(Duration::ms(6));
  }
  EXPECT_GE(thread.megabits_since(start), 50 * 0.97 * 0.985);
  EXPECT_LE(thread.megabits_since(start), 50 * 0.97 * 1.01);
}

TEST(LinkShaper, MakesUpForARareLateWakeUpBitByBitAndNeverAboveTheCap) {
  LateThread thread{.shaper = LinkShaper(BitRate::mbps(50))};
  thread.go_on(thread.now + Duration::ms(500));
  const Instant start = thread.now;
  thread.sent = 0;
  EXPECT_LE(thread.wake_up(Duration::ms(5)), 4'500U) << "a train's time, and one packet";
  while (thread.now < start + Duration::ms(1000)) {
    thread.wake_up(Duration::zero());
    const double since = (thread.now - start).to_seconds();
    EXPECT_LE(static_cast<double>(thread.sent) * 8, 50e6 * since + 7'500 * 8) << since;
  }
  EXPECT_NEAR(thread.megabits_since(start), 50 * 0.97, 0.03) << "all is made good";
}

TEST(LinkShaper, TrainsAreAtMostHalfAMillisecondAndAtLeastTwoPackets) {
  EXPECT_EQ(LinkShaper(BitRate::mbps(1)).train_packets(1480), 2U);
  // 97 Mbit/s × 0.5 ms = 6,062 bytes = 4 packets.
  EXPECT_EQ(LinkShaper(BitRate::mbps(100)).train_packets(1480), 4U);
  EXPECT_EQ(LinkShaper(BitRate::mbps(10'000)).train_packets(1480), LinkShaper::kTrainPacketsMax);
  EXPECT_EQ(LinkShaper().train_packets(1480), LinkShaper::kTrainPacketsUncapped);
}

TEST(LinkShaper, WithoutACapNothingWaits) {
  LinkShaper shaper;
  const Instant now = Instant::from_ns(1'000'000'000);
  shaper.charge(now, 1'000'000'000, false);
  EXPECT_TRUE(shaper.allows(now));
}

}  // namespace
}  // namespace godwit::transport
