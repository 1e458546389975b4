// Lanes: freezing, receipts, coverage, applying once; each test guards one rule.
#include <algorithm>

#include <gtest/gtest.h>

#include "dataplane/base/checksum.h"
#include "dataplane/ledger/field_checksum.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

class Lanes : public testing::Test {
 protected:
  Site a{"fra"};
  Site b{"iad"};
  Pair ab{a, b};
  Pair ba{b, a};
  InboxIndex inbox = a->open_inbox(PublisherId(1), {1, 1}).value();
};

std::vector<std::byte> with_header(std::vector<std::byte> bytes, auto change) {
  wire::TransferHeader header = wire::parse_header(bytes).value();
  change(header);
  wire::write_header(header, bytes);
  wire::write_trailer(bytes);
  return bytes;
}

TEST_F(Lanes, CarryASumToThePeer) {
  a.publish(inbox, 1, 10, {1, -2, 3});
  a.publish(inbox, 2, 65'536, {4});
  EXPECT_EQ(a.freeze_all(ab.lane, {2, 0}), 1U);
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(b.sum(), a.sum());
  EXPECT_FALSE(a->drained(ab.lane));
  const auto receipted = ab.receipt();
  ASSERT_TRUE(receipted.has_value());
  EXPECT_EQ(receipted->frontier, 1U);
  EXPECT_EQ(receipted->coverage, PublishNumber(2));
  ASSERT_EQ(receipted->newly.size(), 1U);
  EXPECT_TRUE(a->drained(ab.lane));
  EXPECT_TRUE(a->frozen(ab.lane, 1).empty());
}

TEST_F(Lanes, DoNotForwardWhatCameFromAPeer) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  ASSERT_TRUE(ab.deliver(1).has_value());
  EXPECT_TRUE(b->drained(ba.lane));
  EXPECT_EQ(b->measure_open(ba.lane, 0).max, 0U);
}

TEST_F(Lanes, ApplyATransferOnceHoweverOftenItComes) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(ab.deliver(1).value(), Applied::kDuplicate);
  b.restart();
  EXPECT_EQ(ab.deliver(1).value(), Applied::kDuplicate);
  EXPECT_EQ(b.sum()[0], 5);
}

TEST_F(Lanes, ApplyInAnyOrderWithinTheWindow) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    a.publish(inbox, n, n, {1});
    a.freeze_all(ab.lane, {0});
  }
  for (const std::uint64_t k : {4U, 2U, 5U}) {
    EXPECT_EQ(ab.deliver(k).value(), Applied::kApplied);
  }
  Receipt receipt = b->receipt(ab.incoming);
  EXPECT_EQ(receipt.frontier, 0U);
  EXPECT_EQ(receipt.window[0], 0b11010U);  // transfers 2, 4 and 5 are at bits 1, 3 and 4
  EXPECT_EQ(b->coverage(ab.incoming), 0U);
  ASSERT_EQ(ab.receipt()->newly.size(), 3U);
  EXPECT_EQ(a->next_unreceipted(ab.lane), 1U);
  EXPECT_EQ(a->next_unreceipted(ab.lane, 1), 3U);
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(b->receipt(ab.incoming).frontier, 2U);
  EXPECT_EQ(b->coverage(ab.incoming), 2U);
  EXPECT_EQ(ab.deliver(3).value(), Applied::kApplied);
  EXPECT_EQ(b->receipt(ab.incoming).frontier, 5U);
  EXPECT_EQ(b.sum(), a.sum());
}

TEST_F(Lanes, RefuseATransferBeyondTheWindow) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  const auto far = with_header(ab.bytes(1), [](auto& h) { h.k = 1'025; });
  EXPECT_EQ(ab.deliver(far).value(), Applied::kTooFar);
  const auto last = with_header(ab.bytes(1), [](auto& h) { h.k = 1'024; });
  EXPECT_EQ(ab.deliver(last).value(), Applied::kApplied);
}

TEST_F(Lanes, RefuseWrongContentBeforeApplying) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  const auto wrong = with_header(ab.bytes(1), [](auto& h) { h.checksum ^= 1U; });
  EXPECT_EQ(ab.deliver(wrong).error().code, Code::kCorrupt);
  EXPECT_EQ(b.sum()[0], 0);
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
}

TEST_F(Lanes, RefuseACumulativeChecksumThatDoesNotContinueAndQuarantine) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  const auto wrong = with_header(ab.bytes(1), [](auto& h) { h.cumulative ^= 1U; });
  EXPECT_EQ(ab.deliver(wrong).error().code, Code::kCorrupt);
  EXPECT_TRUE(b->incoming(ab.incoming).quarantined);
  EXPECT_EQ(b.defects(), 1U);
  EXPECT_EQ(ab.deliver(1).error().code, Code::kCorrupt);
  EXPECT_EQ(b.sum()[0], 0);
}

TEST_F(Lanes, RefuseATransferOfAnotherLane) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  const auto good = ab.bytes(1);
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.topic = TopicId(1); })));
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.shard = 9; })));
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.from = SiteId(1); })));
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.to = 1; })));
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.from_incarnation.nonce ^= 1U; })));
  EXPECT_FALSE(ab.deliver(with_header(good, [](auto& h) { h.to_incarnation.counter += 1; })));
  EXPECT_EQ(b.sum()[0], 0);
}

// A tile's record of 8 bytes becomes one of 3; the code behind it moves along.
TEST_F(Lanes, CarryShortRecordsOfTilesWhereTheyAreTold) {
  a.publish(inbox, 1, 0, {5});
  a.publish(inbox, 2, 65'536, {7});
  std::array<std::size_t, 2> sizes{};
  for (const bool is_short : {false, true}) {
    ASSERT_TRUE(a->begin_transfer(ab.lane, {.origins = {}, .short_records = is_short}).has_value());
    a.append_all(ab.lane, is_short ? 2 : 0);
    const auto k = a->seal(ab.lane);
    ASSERT_TRUE(k.has_value());
    sizes.at(is_short ? 1 : 0) = ab.bytes(*k).size();
    EXPECT_EQ(ab.deliver(ab.bytes(*k)).value(), Applied::kApplied);
  }
  EXPECT_EQ(sizes[1], sizes[0] - 5);
  EXPECT_EQ(b.sum()[0], 5);
  EXPECT_EQ(b.sum()[65'536], 7);
}

TEST_F(Lanes, RefuseSumsOutOfRangeAndElementsThatAreNotThere) {
  a.publish(inbox, 1, 69'999, {5});
  a.freeze_all(ab.lane, {2});
  const FieldChecksum checksum(a.shape.topic, a.shape.shard);
  // The coded list of one value begins after header and record: position, then value.
  const std::size_t coded = wire::header_bytes(0) + wire::kTileRecordBytes;
  const auto forged = [&](std::uint16_t position, std::int64_t value) {
    auto bytes = ab.bytes(1);
    std::memcpy(bytes.data() + coded, &position, 2);
    std::memcpy(bytes.data() + coded + 2, &value, 8);
    const std::vector<std::int64_t> one = {value};
    const std::uint64_t sum = checksum.of_range(65'536 + position, one);
    return with_header(bytes, [sum](auto& h) { h.checksum = h.cumulative = sum; });
  };
  EXPECT_NE(ab.deliver(forged(4'464, 1)).error().message.find("past the last"), std::string::npos);
  EXPECT_NE(ab.deliver(forged(0, std::numeric_limits<std::int64_t>::max()))
                .error()
                .message.find("beyond"),
            std::string::npos);
  EXPECT_EQ(b.sum(), std::vector<std::int64_t>(70'000, 0));
  EXPECT_EQ(ab.deliver(forged(4'463, 5)).value(), Applied::kApplied);
}

TEST_F(Lanes, KeepAFrozenTransferByteForByteOverRestartsAndLaterPublishes) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  const auto before = ab.bytes(1);
  a.publish(inbox, 2, 0, {7});
  a.restart();
  EXPECT_EQ(ab.bytes(1), before);
  a.freeze_all(ab.lane, {0});
  EXPECT_EQ(ab.bytes(1), before);
  ASSERT_TRUE(ab.deliver(1).has_value());
  EXPECT_EQ(b.sum()[0], 5);
  ASSERT_TRUE(ab.deliver(2).has_value());
  EXPECT_EQ(b.sum()[0], 12);
}

TEST_F(Lanes, KeepOpenWhatTheCodeDidNotTake) {
  a.publish(inbox, 1, 0, {1'003, -2'007});
  ASSERT_TRUE(a->begin_transfer(ab.lane, {}).has_value());
  std::vector<std::int64_t> removed(kTileElements, 0);
  removed[0] = 1'000;
  removed[1] = -2'000;
  ASSERT_TRUE(a->append(ab.lane, 0, 0, sparse_code(removed), removed, 7).has_value());
  ASSERT_TRUE(a->seal(ab.lane).has_value());
  std::vector<std::int64_t> open(kTileElements);
  a->read_open(ab.lane, 0, open);
  EXPECT_EQ(open[0], 3);
  EXPECT_EQ(open[1], -7);
  EXPECT_EQ(a->measure_open(ab.lane, 0).energy, 9.0 + 49.0);
  EXPECT_TRUE(a->dirty(ab.lane, 0));
  EXPECT_EQ(a->coverage(ab.lane), PublishNumber(0));
}

TEST_F(Lanes, SealAPartlyBuiltTransferAfterADeath) {
  a.publish(inbox, 1, 0, {5});
  a.publish(inbox, 2, 40'000, {6});
  const std::vector<SiteId> origins = {a.shape.site, SiteId(7)};
  ASSERT_TRUE(
      a->begin_transfer(
           ab.lane,
           {.traffic_class = 3, .tenant = 8, .remaining_deadline_ms = 50, .origins = origins})
          .has_value());
  a.append_all(ab.lane, 1);
  a.restart();
  EXPECT_EQ(a->building_tiles(ab.lane), 0U);
  ASSERT_EQ(a->next_unreceipted(ab.lane), 1U);
  const auto header = wire::parse_header(a->frozen(ab.lane, 1)).value();
  EXPECT_EQ(header.traffic_class, 3);
  EXPECT_EQ(header.tenant, 8U);
  EXPECT_EQ(header.remaining_deadline_ms, 50U);
  EXPECT_EQ(header.origins[1], SiteId(7));
  EXPECT_EQ(header.coverage, 0U);  // publish 1 is not in it
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(b.sum()[40'000], 6);
  EXPECT_TRUE(a->dirty(ab.lane, 0));
  EXPECT_FALSE(a->dirty(ab.lane, 1));
}

TEST_F(Lanes, SayInTheHeaderWhatIsLeftWhenATransferIsSealed) {
  a.publish(inbox, 1, 0, {5});
  ASSERT_TRUE(a->begin_transfer(ab.lane, {.remaining_deadline_ms = 50, .origins = {}}).has_value());
  a.append_all(ab.lane, 0);
  ASSERT_EQ(a->seal(ab.lane, 20).value(), 1U);
  EXPECT_EQ(wire::parse_header(a->frozen(ab.lane, 1))->remaining_deadline_ms, 20U);
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
}

TEST_F(Lanes, StopAtTheWindowAndGoOnMerging) {
  ab.lane = a->open_lane({.kind = LaneKind::kSite,
                          .to = b.shape.site.value(),
                          .to_incarnation = b->incarnation()},
                         {.window = 2, .ring_bytes = 0, .own_publisher = {}})
                .value();
  for (std::uint64_t n = 1; n <= 2; ++n) {
    a.publish(inbox, n, 0, {1});
    a.freeze_all(ab.lane, {0});
  }
  EXPECT_TRUE(a->window_full(ab.lane));
  EXPECT_EQ(a->begin_transfer(ab.lane, {}).error().code, Code::kFull);
  const std::uint64_t used = a->bytes_used();
  for (std::uint64_t n = 3; n <= 50; ++n) {
    a.publish(inbox, n, 0, {1});
  }
  EXPECT_EQ(a->bytes_used(), used);  // an outage costs nothing more
  ASSERT_TRUE(ab.deliver(1).has_value());
  ASSERT_TRUE(ab.receipt().has_value());
  EXPECT_FALSE(a->window_full(ab.lane));
  EXPECT_EQ(a.freeze_all(ab.lane, {0}), 3U);
  ASSERT_TRUE(ab.deliver(3).has_value());
  ASSERT_TRUE(ab.deliver(2).has_value());
  EXPECT_EQ(b.sum()[0], 50);
}

TEST_F(Lanes, StopWhenTheRingIsFullAndReuseIt) {
  // 8,000 values are 80,000 coded bytes: they do not fit one transfer of 72 KiB; 6,000 do.
  std::uint64_t number = 0;
  for (int round = 0; round < 20; ++round) {
    std::uint64_t sealed = 0;
    while (!a->window_full(ab.lane)) {
      a.publish(inbox, ++number, 0, std::vector<std::int64_t>(6'000, 1));
      sealed = a.freeze_all(ab.lane, {0});
    }
    EXPECT_LE(a->lane(ab.lane).unreceipted_bytes, a.shape.ring_bytes);
    for (auto k = a->next_unreceipted(ab.lane); k; k = a->next_unreceipted(ab.lane, *k)) {
      ASSERT_EQ(ab.deliver(*k).value(), Applied::kApplied);
    }
    ASSERT_EQ(ab.receipt()->frontier, sealed);
  }
  EXPECT_EQ(b.sum(), a.sum());
  EXPECT_GT(number, 40U);
}

TEST_F(Lanes, RefuseATileTwiceAndWhatDoesNotFit) {
  a.publish(inbox, 1, 0, {5});
  ASSERT_TRUE(a->begin_transfer(ab.lane, {}).has_value());
  std::vector<std::int64_t> removed(kTileElements, 0);
  removed[0] = 1;
  EXPECT_EQ(a->append(ab.lane, 0, 0, std::vector<std::byte>(wire::kTransferBytesMax), removed, 4)
                .error()
                .code,
            Code::kFull);
  ASSERT_TRUE(a->append(ab.lane, 0, 0, sparse_code(removed), removed, 4).has_value());
  EXPECT_EQ(a->append(ab.lane, 0, 0, sparse_code(removed), removed, 3).error().code,
            Code::kInvalid);
  EXPECT_EQ(a->append(ab.lane, 3, 0, {}, removed, 0).error().code, Code::kInvalid);
  EXPECT_TRUE(a->seal(ab.lane).has_value());
  EXPECT_EQ(a->seal(ab.lane).error().code, Code::kNotFound);
}

TEST_F(Lanes, TakeCodedBytesWhereTheyLie) {
  a.publish(inbox, 1, 0, {5});
  ASSERT_TRUE(a->begin_transfer(ab.lane, {}).has_value());
  std::vector<std::int64_t> removed(kTileElements, 0);
  removed[0] = 5;
  const auto coded = sparse_code(removed);
  const auto space = a->coded_space(ab.lane);
  ASSERT_GE(space.size(), 65'536U);
  std::copy(coded.begin(), coded.end(), space.begin());
  ASSERT_TRUE(a->append(ab.lane, 0, 0, space.first(coded.size()), removed, 0).has_value());
  ASSERT_TRUE(a->seal(ab.lane).has_value());
  EXPECT_EQ(ab.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(b.sum()[0], 5);
}

TEST_F(Lanes, QuarantineWhenAReceiptContradictsTheChecksum) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  EXPECT_EQ(a->on_receipt(ab.lane, {.frontier = 1, .checksum = 1, .window = {}}).error().code,
            Code::kCorrupt);
  EXPECT_TRUE(a->lane(ab.lane).quarantined);
  EXPECT_EQ(a->begin_transfer(ab.lane, {}).error().code, Code::kRefused);
  EXPECT_EQ(a->on_receipt(ab.lane, {.frontier = 1, .checksum = 1, .window = {}}).error().code,
            Code::kCorrupt);
  EXPECT_EQ(a.defects(), 1U) << "the same one again";
}

TEST_F(Lanes, RefuseReceiptsForTransfersNeverSentAndIgnoreOldOnes) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  EXPECT_EQ(a->on_receipt(ab.lane, {.frontier = 2, .checksum = 0, .window = {}}).error().code,
            Code::kCorrupt);
  Receipt ahead;
  ahead.window[0] = 0b10;
  EXPECT_EQ(a->on_receipt(ab.lane, ahead).error().code, Code::kCorrupt);
  ahead.window[15] = std::uint64_t{1} << 63U;
  EXPECT_EQ(a->on_receipt(ab.lane, ahead).error().code, Code::kCorrupt);
  const Receipt old = b->receipt(ab.incoming);
  ASSERT_TRUE(ab.deliver(1).has_value());
  ASSERT_TRUE(ab.receipt().has_value());
  const auto late = a->on_receipt(ab.lane, old);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->frontier, 1U);
  EXPECT_TRUE(late->newly.empty());
}

TEST_F(Lanes, StartAnewForASubscriberOfWhateverIncarnation) {
  const LaneKey later = {.kind = LaneKind::kSubscriber, .to = 77, .to_incarnation = {9, 9}};
  const LaneKey earlier = {.kind = LaneKind::kSubscriber, .to = 77, .to_incarnation = {1, 1}};
  const auto lane = a->open_lane(later);
  ASSERT_TRUE(lane);
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(*lane, {0});
  EXPECT_EQ(a->lane(*lane).next_k, 2U);
  ASSERT_EQ(a->open_lane(earlier).value(), *lane);
  EXPECT_EQ(a->lane(*lane).next_k, 1U);
  EXPECT_TRUE(a->dirty(*lane, 0));
}

TEST_F(Lanes, StartAnewForANewIncarnationOfTheReceiver) {
  a.publish(inbox, 1, 0, {5});
  a.freeze_all(ab.lane, {0});
  Site fresh(b.shape, {2, 3});
  Pair again(a, fresh);
  EXPECT_EQ(again.lane, ab.lane);
  EXPECT_EQ(a->lane(ab.lane).next_k, 1U);
  EXPECT_TRUE(a->dirty(ab.lane, 0));
  EXPECT_EQ(a->open_lane({.kind = LaneKind::kSite,
                          .to = b.shape.site.value(),
                          .to_incarnation = b->incarnation()})
                .error()
                .code,
            Code::kRefused);
  a.publish(inbox, 2, 1, {6});  // in the same tile, whose old S must count as zero
  a.freeze_all(ab.lane, {0});
  ASSERT_EQ(again.deliver(1).value(), Applied::kApplied);
  EXPECT_EQ(fresh.sum(), a.sum());
  a.scrub();
  a.scrub();
  EXPECT_EQ(a.defects(), 0U);
}

TEST_F(Lanes, BookWhatALostSenderLeftAsDetached) {
  a.publish(inbox, 1, 0, {5, -3});
  a.freeze_all(ab.lane, {0});
  ASSERT_TRUE(ab.deliver(1).has_value());
  Site fresh(a.shape, {2, 3});
  Pair again(fresh, b);
  const Conservation proof = b->conservation();
  EXPECT_EQ(proof.defects, 0U);
  EXPECT_EQ(proof.detached, 8.0);
  const FieldChecksum checksum(a.shape.topic, a.shape.shard);
  EXPECT_EQ(proof.detached_checksum, checksum.of_range(0, std::vector<std::int64_t>{5, -3}));
  EXPECT_EQ(b->receipt(again.incoming).frontier, 0U);
  EXPECT_EQ(ab.deliver(1).error().code, Code::kCorrupt);  // from the life that is over
  EXPECT_EQ(b.sum()[0], 5);
}

TEST_F(Lanes, CoverAPublishOnlyWhenAllOfItWasSent) {
  a.publish(inbox, 1, 0, {5});
  a.publish(inbox, 2, 40'000, {5});
  a.publish(inbox, 3, 0, {5});
  EXPECT_EQ(a->coverage(ab.lane), PublishNumber(0));
  a.freeze_all(ab.lane, {0});
  EXPECT_EQ(a->coverage(ab.lane), PublishNumber(1));
  a.freeze_all(ab.lane, {1});
  EXPECT_EQ(a->coverage(ab.lane), PublishNumber(3));
  ASSERT_TRUE(ab.deliver(2).has_value());
  EXPECT_EQ(b->coverage(ab.incoming), 0U);
  ASSERT_TRUE(ab.deliver(1).has_value());
  EXPECT_EQ(b->coverage(ab.incoming), 3U);
  EXPECT_EQ(a->lane(ab.lane).coverage_receipted, PublishNumber(0));
  ASSERT_TRUE(ab.receipt().has_value());
  EXPECT_EQ(a->lane(ab.lane).coverage_receipted, PublishNumber(3));
}

TEST_F(Lanes, CountARemainderWithinTheToleranceAsCovered) {
  Shape shape = small_shape("fra");
  shape.tolerance = 10;
  Site tolerant(shape, {1, 1});
  Pair lane(tolerant, b);
  const InboxIndex from = tolerant->open_inbox(PublisherId(1), {1, 1}).value();
  tolerant.publish(from, 1, 0, {110});
  std::vector<std::int64_t> removed(kTileElements, 0);
  removed[0] = 100;
  ASSERT_TRUE(tolerant->begin_transfer(lane.lane, {}).has_value());
  ASSERT_TRUE(tolerant->append(lane.lane, 0, 0, sparse_code(removed), removed, 10).has_value());
  ASSERT_TRUE(tolerant->seal(lane.lane).has_value());
  EXPECT_EQ(tolerant->coverage(lane.lane), PublishNumber(1));
  EXPECT_FALSE(tolerant->dirty(lane.lane, 0));
  ASSERT_TRUE(lane.deliver(1).has_value());
  ASSERT_TRUE(lane.receipt().has_value());
  EXPECT_FALSE(tolerant->drained(lane.lane));
  tolerant.restart();
  EXPECT_EQ(tolerant->coverage(lane.lane), PublishNumber(1));
  EXPECT_FALSE(tolerant->drained(lane.lane));
}

TEST_F(Lanes, SettleATileWhoseChangesCancelled) {
  a.publish(inbox, 1, 0, {5});
  a.publish(inbox, 2, 0, {-5});
  EXPECT_TRUE(a->dirty(ab.lane, 0));
  EXPECT_TRUE(a->settle(ab.lane, 0));
  EXPECT_EQ(a->coverage(ab.lane), PublishNumber(2));
  EXPECT_TRUE(a->drained(ab.lane));
  EXPECT_TRUE(b->on_coverage(ab.incoming, 0, 2));
  EXPECT_EQ(b->coverage(ab.incoming), 2U);
  EXPECT_FALSE(b->on_coverage(ab.incoming, 1, 3));
}

TEST_F(Lanes, DoNotEchoASubscribersOwnPublishes) {
  const LaneKey key = {.kind = LaneKind::kSubscriber, .to = 9, .to_incarnation = {1, 1}};
  const LaneIndex mine =
      a->open_lane(key, {.window = 8, .ring_bytes = 0, .own_publisher = PublisherId(1)}).value();
  const InboxIndex other = a->open_inbox(PublisherId(2), {1, 1}).value();
  const InboxIndex remote = b->open_inbox(PublisherId(1), {1, 1}).value();
  a.publish(inbox, 1, 0, {5});
  EXPECT_TRUE(a->drained(mine));
  a.publish(other, 1, 0, {7});
  b.publish(remote, 1, 1, {11});
  b.freeze_all(ba.lane, {0});
  ASSERT_TRUE(ba.deliver(1).has_value());
  std::vector<std::int64_t> open(kTileElements);
  a->read_open(mine, 0, open);
  EXPECT_EQ(open[0], 7);
  EXPECT_EQ(open[1], 11);
  a.scrub();
  a.scrub();
  EXPECT_EQ(a.defects(), 0U);
}

TEST_F(Lanes, GiveStorageBackWhenClosedAndStartAtZeroWhenTheSlotIsUsedAgain) {
  a.publish(inbox, 1, 0, {5});
  const std::uint64_t before = a->bytes_used();
  a.freeze_all(ab.lane, {0});
  a->close_lane(ab.lane);
  EXPECT_LE(a->bytes_used(), before);
  const LaneKey key = {.kind = LaneKind::kSubscriber, .to = 9, .to_incarnation = {1, 1}};
  const LaneIndex reused = a->open_lane(key).value();
  EXPECT_EQ(reused, ab.lane);
  EXPECT_EQ(a->measure_open(reused, 0).max, 5U);
  a.freeze_all(reused, {0});
  a.scrub();
  a.scrub();
  EXPECT_EQ(a.defects(), 0U);
}

}  // namespace
}  // namespace godwit::ledger::test
