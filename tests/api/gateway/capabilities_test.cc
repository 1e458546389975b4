// What a peer says that it can, read with suspicion.
#include "api/gateway/capabilities.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

using codec::Id;

TEST(Capabilities, AreTheLeastOfVersion1WhenNothingIsNamed) {
  const Capabilities none = Capabilities::read({}).value();
  EXPECT_TRUE(none.decodes(Id::kRaw));
  EXPECT_TRUE(none.decodes(Id::kBpc));
  EXPECT_FALSE(none.decodes(Id::kSparseList));
  EXPECT_EQ(none.transfer_bytes_max(), wire::kTransferBytesMax);
  EXPECT_TRUE(none.names().empty());
}

TEST(Capabilities, AreRawAndTheCodecsThatAreNamed) {
  const Capabilities raw = Capabilities::read({"codec.raw"}).value();
  EXPECT_TRUE(raw.decodes(Id::kRaw));
  EXPECT_FALSE(raw.decodes(Id::kBpc));
  const Capabilities other = Capabilities::read({"codec.future", "telepathy"}).value();
  EXPECT_TRUE(other.decodes(Id::kRaw)) << "it is part of every version";
  EXPECT_FALSE(other.decodes(Id::kBpc));
  EXPECT_EQ(other.names(), (std::vector<std::string>{"codec.future", "telepathy"}));
  EXPECT_TRUE(Capabilities::read({"telepathy"})->decodes(Id::kBpc)) << "no codec is named";
  EXPECT_TRUE(Capabilities::read({"codec.raw", "codec.bpc"})->decodes(Id::kBpc));
}

TEST(Capabilities, EachCodecIsTakenByItsName) {
  for (const auto& [name, id] : {std::pair("codec.sparse-list", Id::kSparseList),
                                 std::pair("codec.row", Id::kRow),
                                 std::pair("codec.q8", Id::kQ8),
                                 std::pair("codec.q4", Id::kQ4)}) {
    EXPECT_FALSE(Capabilities::read({})->decodes(id)) << name;
    EXPECT_FALSE(Capabilities::read({"codec.bpc"})->decodes(id)) << name;
    EXPECT_TRUE(Capabilities::read({"codec.bpc", name})->decodes(id)) << name;
    EXPECT_TRUE(Capabilities::own().decodes(id)) << name;
  }
  EXPECT_TRUE(Capabilities::read({"codec.bpc", "codec.sparse-list"})->accepts().sparse_list);
  EXPECT_FALSE(Capabilities::read({"codec.bpc"})->accepts().sparse_list);
  EXPECT_TRUE(Capabilities::read({"codec.bpc", "codec.row"})->accepts().row);
  EXPECT_FALSE(Capabilities::read({"codec.bpc", "codec.rows"})->accepts().row);
}

TEST(Capabilities, StepsOfBpcAreTakenByWhoNamesThemAlone) {
  EXPECT_FALSE(Capabilities::read({})->accepts().finer_steps);
  EXPECT_FALSE(Capabilities::read({"codec.bpc"})->accepts().finer_steps);
  EXPECT_FALSE(Capabilities::read({"codec.bpc", "codec.bpc.stepss"})->accepts().finer_steps);
  EXPECT_TRUE(Capabilities::read({"codec.bpc", "codec.bpc.steps"})->accepts().finer_steps);
  EXPECT_FALSE(Capabilities::read({"codec.bpc.steps"})->accepts().bpc) << "names no codec";
}

TEST(Capabilities, TakeTheSmallestTransferThatIsNamedAndNoneBeyondTheVersions) {
  EXPECT_EQ(Capabilities::read({"transfer.20000"})->transfer_bytes_max(), 20'000U);
  EXPECT_EQ(Capabilities::read({"transfer.4294967295"})->transfer_bytes_max(),
            wire::kTransferBytesMax);
  for (const char* bad : {"transfer.",
                          "transfer.-1",
                          "transfer.0",
                          "transfer.16383",
                          "transfer.4294967296",
                          "transfer.99999999999999999999",
                          "transfer.20000x",
                          "transfer.2e4"}) {
    const auto read = Capabilities::read({bad});
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, Code::kCorrupt);
    EXPECT_NE(read.error().message.find(bad), std::string::npos);
  }
}

TEST(Capabilities, OfThisGatewayAreReadAsWhatItCan) {
  const Capabilities own = Capabilities::own();
  EXPECT_TRUE(own.decodes(Id::kBpc));
  EXPECT_TRUE(own.accepts().finer_steps);
  EXPECT_TRUE(own.accepts().q8 && own.accepts().q4);
  EXPECT_TRUE(own.reads_short_records());
  EXPECT_FALSE(Capabilities().reads_short_records());
  EXPECT_EQ(own.transfer_bytes_max(), wire::kTransferBytesMax);
}

}  // namespace
}  // namespace godwit::gateway
