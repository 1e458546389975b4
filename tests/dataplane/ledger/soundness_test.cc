// A stored ledger in which a word is damaged is refused, or works as far as its checks can see.
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/ledger/field_checksum.h"
#include "dataplane/ledger/layout.h"
#include "dataplane/ledger/redo.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

using ::testing::HasSubstr;

// A site with a publisher whose publish is half merged, a lane to iad with two frozen transfers and
// one being built, and a lane from iad.
struct Stored {
  Site site{"fra"};
  Site peer{"iad"};
  Layout layout{site.shape};
  LaneIndex lane;

  Stored() {
    Pair there(site, peer);
    Pair back(peer, site);
    lane = there.lane;
    const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
    for (std::uint64_t number = 1; number <= 3; ++number) {
      site.publish(inbox, number, 0, {1, 2, 3});
      if (number < 3) {
        site.freeze_all(lane, {0});
      }
    }
    EXPECT_TRUE(site->begin_transfer(lane, {}).has_value());
    site.append_all(lane, 0);
    const std::vector<std::int64_t> values(20'000, 1);
    EXPECT_TRUE(site->begin_publish(inbox, {.number = 4, .step = 0, .first = 9, .count = 20'000})
                    .has_value());
    EXPECT_TRUE(site->stage(inbox, 9, values).has_value());
    EXPECT_TRUE(site->commit_publish(inbox).has_value());
    site->merge_some(2);
    site.ledger.reset();
  }
  template <class Record>
  Record& at(std::uint64_t offset, std::uint64_t index = 0) {
    return *(reinterpret_cast<Record*>(site.mapping.bytes().data() + offset) + index);
  }
  HeaderRecord& header() { return at<HeaderRecord>(layout.header); }
  InboxRecord& inbox() { return at<InboxRecord>(layout.inboxes); }
  LaneRecord& out() { return at<LaneRecord>(layout.lanes, lane.value()); }
  IncomingRecord& in() { return at<IncomingRecord>(layout.incomings); }
  TransferRecord& transfer(std::uint64_t k) {
    return at<TransferRecord>(layout.lane_transfers(lane.value()), k);
  }
  LaneTileRecord& lane_tile() { return at<LaneTileRecord>(layout.lane_tiles(lane.value())); }
  std::byte& ring(std::uint64_t offset) {
    return at<std::byte>(layout.lane_ring(lane.value()), offset);
  }
  // What attaching says.
  std::string attach() {
    auto attached = Ledger::attach(site.mapping, site.shape, site.life, site.workspace);
    if (attached) {
      return "none";
    }
    EXPECT_EQ(attached.error().code, Code::kCorrupt);
    return attached.error().message;
  }
};

using Damage = std::function<void(Stored&)>;

void expect_refused(std::string_view what, const std::vector<Damage>& damages) {
  for (std::size_t i = 0; i < damages.size(); ++i) {
    Stored stored;
    damages[i](stored);
    const std::string said = stored.attach();
    EXPECT_THAT(said, HasSubstr(std::string(what))) << "damage " << i;
    EXPECT_THAT(said, HasSubstr("restore the state, or remove it")) << "damage " << i;
  }
}

TEST(Soundness, TakesWhatTheStepsWrote) {
  Stored stored;
  EXPECT_EQ(stored.attach(), "none");
}

TEST(Soundness, RefusesADamagedHeader) {
  expect_refused("the header of topic",
                 {[](Stored& s) { s.header().checksum_p = kFieldPrime; },
                  [](Stored& s) { s.header().last_publish = ~std::uint64_t{0}; }});
  expect_refused("the record of tile",
                 {[](Stored& s) { s.at<TileRecord>(s.layout.tiles).p_last = 99; },
                  [](Stored& s) { s.at<TileRecord>(s.layout.tiles, 1).r_last = 99; }});
}

TEST(Soundness, NeverBeginsAnewOverALedgerThatHasLostItsHeader) {
  expect_refused("the file holds records and no header",
                 {[](Stored& s) { s.header().magic = 0; }, [](Stored& s) { s.header() = {}; }});
}

TEST(Soundness, RefusesADamagedPublisher) {
  expect_refused("the record of publisher 0",
                 {[](Stored& s) { s.inbox().used = 2; },
                  [](Stored& s) { s.inbox().pending = 2; },
                  [](Stored& s) { s.inbox().named = 2; },
                  [](Stored& s) { s.inbox().first = s.site.shape.element_count; },
                  [](Stored& s) { s.inbox().count = s.site.shape.element_count; },
                  [](Stored& s) { s.inbox().count = 0; },
                  [](Stored& s) { s.inbox().next_block = 100; },
                  [](Stored& s) { s.inbox().last_publish = 99; },
                  [](Stored& s) { s.inbox().pending_checksum = kFieldPrime; },
                  [](Stored& s) { s.inbox().closed = 1; }});
}

TEST(Soundness, RefusesADamagedLane) {
  expect_refused("the record of lane 0",
                 {[](Stored& s) { s.out().used = 3; },
                  [](Stored& s) { s.out().kind = 2; },
                  [](Stored& s) { s.out().window = 0; },
                  [](Stored& s) { s.out().window = kWindowMax + 1; },
                  [](Stored& s) { s.out().ring_bytes = 0; },
                  [](Stored& s) { s.out().ring_bytes *= 2; },
                  [](Stored& s) { s.out().next_k = 0; },
                  [](Stored& s) { s.out().next_k += kWindowMax; },
                  [](Stored& s) { s.out().frontier = s.out().next_k; },
                  [](Stored& s) { s.out().coverage = 99; },
                  [](Stored& s) { s.out().frontier_coverage = s.out().coverage + 1; },
                  [](Stored& s) { s.out().ring_head += 1; },
                  [](Stored& s) { s.out().ring_tail = s.out().ring_head + 64; },
                  [](Stored& s) { s.out().ring_head += s.out().ring_bytes; },
                  [](Stored& s) { s.out().checksum_s = ~std::uint64_t{0}; },
                  [](Stored& s) { s.out().building_tiles = 2; },
                  [](Stored& s) { s.out().building_tiles = 0; },
                  [](Stored& s) { s.out().building_bytes = wire::kTransferBytesMax; },
                  [](Stored& s) { s.out().building_bytes -= 1; },
                  [](Stored& s) { s.ring(s.out().ring_head + 8) ^= std::byte{1}; },
                  [](Stored& s) { s.lane_tile().generation = 7; },
                  [](Stored& s) { s.lane_tile().clean_to = 99; }});
}

TEST(Soundness, RefusesFrozenBytesThatCannotBeReadAgain) {
  expect_refused("what is frozen for lane 0",
                 {[](Stored& s) { s.transfer(1).position = s.out().ring_head; },
                  [](Stored& s) { s.transfer(2).bytes = s.out().ring_bytes; },
                  [](Stored& s) { s.transfer(2).bytes = 0; },
                  [](Stored& s) { s.transfer(2).position = s.transfer(1).position; },
                  [](Stored& s) { s.transfer(1).cumulative = ~std::uint64_t{0}; },
                  [](Stored& s) { s.ring(s.transfer(2).position + 100) ^= std::byte{1}; }});
}

TEST(Soundness, RefusesADamagedIncomingLane) {
  expect_refused("the record of incoming lane 0",
                 {[](Stored& s) { s.in().used = 2; },
                  [](Stored& s) { s.in().frontier = ~std::uint64_t{0}; },
                  [](Stored& s) { s.in().coverage_at = 99; },
                  [](Stored& s) { s.in().intent_bytes = wire::kTransferBytesMax + 1; },
                  [](Stored& s) { s.in().cumulative = kFieldPrime; }});
}

TEST(Soundness, RefusesAHalfAppliedTransferThatIsNone) {
  Stored stored;
  stored.in().intent_bytes = 200;
  EXPECT_THAT(stored.attach(), HasSubstr("half-applied"));
}

// A committed slot, as a kill leaves it, in which one word was damaged afterwards.
TEST(Soundness, AppliesNoRedoSlotThatWasDamaged) {
  const auto slot = [](auto damage) {
    Stored stored;
    auto& record = stored.at<RedoRecord>(stored.layout.redo);
    record.range_count = 0;
    record.word_count = 1;
    record.words[0] = {.offset = stored.layout.p, .value = 77};
    record.commit = seal_of(record);
    damage(record);
    const std::string said = stored.attach();
    EXPECT_EQ(stored.at<std::uint64_t>(stored.layout.p) == 77, said == "none");
    return said;
  };
  EXPECT_EQ(slot([](RedoRecord&) {}), "none");
  for (const auto& said : {slot([](RedoRecord& r) { r.words[0].value ^= 1U; }),
                           slot([](RedoRecord& r) { r.words[0].offset += 8; }),
                           slot([](RedoRecord& r) { r.word_count = 2; }),
                           slot([](RedoRecord& r) { r.word_count = kRedoWordsMax + 1; }),
                           slot([](RedoRecord& r) { r.range_count = 1; }),
                           slot([](RedoRecord& r) { r.commit = 1; })}) {
    EXPECT_THAT(said, HasSubstr("the redo slot holds what no step writes"));
  }
}

// Neither the header's account of which ledger this is, nor the slot itself.
TEST(Soundness, AppliesNoRedoSlotThatWritesWhereNoStepDoes) {
  const auto slot = [](auto offset_in, std::uint64_t bytes) {
    Stored stored;
    auto& record = stored.at<RedoRecord>(stored.layout.redo);
    record.range_count = bytes == 8 ? 0 : 1;
    record.word_count = bytes == 8 ? 1 : 0;
    const std::uint64_t offset = offset_in(stored.layout);
    record.words[0] = {.offset = offset, .value = 0};
    record.ranges[0] = {.offset = offset, .bytes = bytes, .is_lines = 0};
    record.commit = seal_of(record);
    return stored.attach();
  };
  const auto behind_slot = [](const Layout& l) { return l.redo_data + kRedoDataBytes; };
  EXPECT_EQ(slot(behind_slot, 0), "none");
  for (const auto& said : {slot([](const Layout&) { return 0; }, 8),
                           slot([](const Layout&) { return kIdentityBytes - 8; }, 8),
                           slot([](const Layout& l) { return l.redo; }, 8),
                           slot([](const Layout& l) { return l.redo - 8; }, 16),
                           slot([&](const Layout& l) { return behind_slot(l) - 8; }, 8),
                           slot([](const Layout& l) { return l.total - 8; }, 16)}) {
    EXPECT_THAT(said, HasSubstr("the redo slot holds what no step writes"));
  }
}

// Lines of a block: as many as its bits say, within the mapping.
TEST(Soundness, AppliesNoLinesThatAreNotWhatTheirBitsSay) {
  const auto slot = [](const LineBits& bits,
                       std::uint64_t bytes,
                       std::uint64_t from_end,
                       std::uint64_t is_lines_at_last = 1) {
    Stored stored;
    auto& record = stored.at<RedoRecord>(stored.layout.redo);
    record.range_count = 1;
    record.word_count = 0;
    record.ranges[0] = {.offset = stored.layout.total - from_end, .bytes = bytes, .is_lines = 1};
    stored.at<LineBits>(stored.layout.redo_data) = bits;
    record.commit = seal_of(record);
    record.ranges[0].is_lines = is_lines_at_last;
    return stored.attach();
  };
  constexpr std::uint64_t kHead = sizeof(LineBits);
  EXPECT_EQ(slot({}, kHead, kBlockBytes), "none");
  for (const auto& said : {slot({}, kHead - 8, kBlockBytes),
                           slot({}, kHead + 64, kBlockBytes),
                           slot({5}, kHead + 64, kBlockBytes),
                           slot({5}, kHead + 129, kBlockBytes),
                           slot({}, kHead, kBlockBytes - 8),
                           slot({}, kHead, kBlockBytes, 0)}) {
    EXPECT_THAT(said, HasSubstr("the redo slot holds what no step writes"));
  }
}

}  // namespace
}  // namespace godwit::ledger::test
