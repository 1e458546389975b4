#include "api/local/records.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/local/memory_channel.h"
#include "tests/support/hex.h"

namespace godwit::local {
namespace {

using testing_support::from_hex;
using testing_support::to_hex;

// Sends a record of a client and decodes what arrives at the gateway.
template <class Record>
Result<ClientRecord> through(MemoryLink& link, const Record& record) {
  EXPECT_TRUE(send(link.client_end(), record));
  const auto view = link.gateway_end().receive();
  EXPECT_TRUE(view);
  return decode_client_record(*view);
}

template <class Record>
Record back(MemoryLink& link, const Record& record) {
  EXPECT_TRUE(send(link.gateway_end(), record));
  const auto view = link.client_end().receive();
  EXPECT_TRUE(view);
  const auto decoded = decode_gateway_record(*view);
  EXPECT_TRUE(decoded) << decoded.error().message;
  return std::get<Record>(*decoded);
}

// Bytes in 8-aligned memory, as a ring gives them.
struct AlignedBytes {
  explicit AlignedBytes(std::span<const std::byte> bytes) : words((bytes.size() + 7) / 8 + 1) {
    if (!bytes.empty()) {
      std::memcpy(words.data(), bytes.data(), bytes.size());
    }
    view = std::as_bytes(std::span(words)).first(bytes.size());
  }
  std::vector<std::uint64_t> words;
  std::span<const std::byte> view;
};

RecordView as_record(RecordType type, const AlignedBytes& bytes, std::uint16_t flags = 0) {
  return {static_cast<std::uint16_t>(type), flags, bytes.view};
}

Declare some_topic() {
  return {.handle = TopicHandle{3},
          .topic = "ctr/v3/dense",
          .element_count = 1'000'000,
          .fraction_bits = 40,
          .tolerance = 1e-6,
          .tenant = "recsys",
          .service_class = "normal",
          .allowed_sites = {"fra", "sin"},
          .deadline = Duration::ms(250),
          .significance = {.kind = SignificanceFilter::Kind::kRelative,
                           .threshold = 0.01,
                           .decays_with_clock = true},
          .has_seed = true,
          .seed_hash = 77,
          .replaces = Incarnation{4, 5},
          .unanswered = Unanswered{.until = 9, .incarnation = {2, 8}, .publishers_forgotten = 3},
          .shards = 16,
          .shard = 15};
}

TEST(Records, ADeclareArrivesAsItWasSent) {
  MemoryLink link;
  const auto decoded = through(link, some_topic());
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& got = std::get<Declare>(*decoded);
  EXPECT_EQ(got.handle, TopicHandle{3});
  EXPECT_EQ(got.topic, "ctr/v3/dense");
  EXPECT_EQ(got.element_count, 1'000'000U);
  EXPECT_EQ(got.fraction_bits, 40U);
  EXPECT_EQ(got.tolerance, 1e-6);
  EXPECT_EQ(got.tenant, "recsys");
  EXPECT_EQ(got.service_class, "normal");
  EXPECT_EQ(got.allowed_sites, (std::vector<std::string>{"fra", "sin"}));
  EXPECT_EQ(got.deadline, Duration::ms(250));
  EXPECT_EQ(got.significance.kind, SignificanceFilter::Kind::kRelative);
  EXPECT_EQ(got.significance.threshold, 0.01);
  EXPECT_TRUE(got.significance.decays_with_clock);
  EXPECT_TRUE(got.has_seed);
  EXPECT_EQ(got.seed_hash, 77U);
  EXPECT_EQ(got.replaces, (Incarnation{4, 5}));
  EXPECT_EQ(got.unanswered, some_topic().unanswered);
  EXPECT_EQ(got.shards, 16U);
  EXPECT_EQ(got.shard, 15U);
}

// The body of a Declare as a client that knows no shards writes it.
std::string declare_of_one_shard() {
  MemoryLink link;
  Declare declare = some_topic();
  declare.shards = 1;
  declare.shard = 0;
  EXPECT_TRUE(send(link.client_end(), declare));
  return to_hex(link.gateway_end().receive()->body);
}

TEST(Records, OneShardIsWrittenAndReadAsBeforeThereWereShards) {
  // Fields 15 and 16 would be the last: tags 78 and 80 01.
  EXPECT_EQ(declare_of_one_shard().substr(declare_of_one_shard().size() - 30),
            to_hex(from_hex("720d 0809 1108000000 02000000 1803")));
  MemoryLink link;
  const auto declared =
      through(link, Declare{.topic = "m", .element_count = 1, .shards = 0, .shard = 0});
  ASSERT_TRUE(declared);
  EXPECT_EQ(std::get<Declare>(*declared).shards, 1U);
  EXPECT_EQ(std::get<Declare>(*declared).shard, 0U);
}

TEST(Records, ADeclareThatIsOutOfRangeIsRefused) {
  const auto refuses = [](auto&& spoil) {
    Declare declare = some_topic();
    spoil(declare);
    MemoryLink link;
    const auto decoded = through(link, declare);
    return !decoded && decoded.error().code == Code::kCorrupt;
  };
  EXPECT_FALSE(refuses([](Declare&) {}));
  EXPECT_TRUE(refuses([](Declare& d) { d.topic = ""; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.topic = std::string(256, 'x'); }));
  EXPECT_TRUE(refuses([](Declare& d) { d.topic = "line\nbreak"; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.handle = TopicHandle{4096}; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.element_count = 0; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.element_count = kElementsMax + 1; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.fraction_bits = 63; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.tolerance = -1e-9; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.tolerance = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(refuses([](Declare& d) { d.tolerance = std::numeric_limits<double>::infinity(); }));
  EXPECT_TRUE(refuses([](Declare& d) { d.tolerance = std::nextafter(kToleranceMax, 1e9); }));
  EXPECT_FALSE(refuses([](Declare& d) { d.tolerance = kToleranceMax; }));
  const auto refuses_threshold = [&](double threshold) {
    return refuses([&](Declare& d) {
      d.significance = {SignificanceFilter::Kind::kRelative, threshold, false};
    });
  };
  EXPECT_TRUE(refuses_threshold(std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(refuses_threshold(std::nextafter(kThresholdMax, 1e9)));
  EXPECT_FALSE(refuses_threshold(kThresholdMax));
  EXPECT_TRUE(refuses([](Declare& d) { d.allowed_sites.assign(65, "site"); }));
  EXPECT_TRUE(refuses([](Declare& d) { d.allowed_sites = {""}; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.shards = 12; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.shards = 128; }));
  EXPECT_TRUE(refuses([](Declare& d) { d.shard = 16; }));
}

// The record of one publish as a client of its own making may write it.
Code refusal_of_deadline(std::uint64_t ns) {
  MemoryLink link;
  EXPECT_TRUE(send(link.client_end(), PublishBegin{.number = 1, .count = 1}));
  auto view = link.gateway_end().receive();
  std::vector<std::byte> body(view->body.begin(), view->body.end());
  std::memcpy(body.data() + body.size() - sizeof(ns), &ns, sizeof(ns));
  view->body = body;
  const auto record = decode_client_record(*view);
  return record ? Code::kOk : record.error().code;
}

TEST(Records, RefuseAPublishWhoseDeadlineIsNegativeOrBeyondTheLongest) {
  const auto longest = static_cast<std::uint64_t>(kLongestDeadline.count_ns());
  EXPECT_EQ(refusal_of_deadline(0), Code::kOk);
  EXPECT_EQ(refusal_of_deadline(longest), Code::kOk);
  EXPECT_EQ(refusal_of_deadline(longest + 1), Code::kCorrupt);
  EXPECT_EQ(refusal_of_deadline(static_cast<std::uint64_t>(-1)), Code::kCorrupt);
}

TEST(Records, RefuseAPublishOfStepZeroWhichWouldStandForNone) {
  MemoryLink link;
  EXPECT_TRUE(through(link, PublishBegin{.number = 1, .step = 1, .count = 1}));
  const auto zero = through(link, PublishBegin{.number = 1, .step = 0, .count = 1});
  ASSERT_FALSE(zero);
  EXPECT_EQ(zero.error().code, Code::kCorrupt);
  EXPECT_EQ(zero.error().message, "record PublishBegin gives step 0; steps begin at 1");
}

TEST(Records, PublishesArriveAsFloatsOrAsQuanta) {
  MemoryLink link;
  const auto begin = through(link,
                             PublishBegin{.topic = TopicHandle{1},
                                          .number = 9,
                                          .step = 42,
                                          .first = 5,
                                          .count = 3,
                                          .deadline = Duration::ms(7)});
  ASSERT_TRUE(begin);
  EXPECT_EQ(std::get<PublishBegin>(*begin).step, 42U);
  EXPECT_EQ(std::get<PublishBegin>(*begin).count, 3U);
  EXPECT_EQ(std::get<PublishBegin>(*begin).deadline, Duration::ms(7));
  const auto without_step =
      through(link, PublishBegin{.topic = TopicHandle{1}, .number = 9, .count = 1});
  ASSERT_TRUE(without_step);
  EXPECT_FALSE(std::get<PublishBegin>(*without_step).step);

  const std::vector<float> floats{1.5F, -2.0F, 3.25F};
  const auto data = through(
      link, PublishData{.topic = TopicHandle{1}, .number = 9, .first = 5, .values = floats});
  ASSERT_TRUE(data);
  const auto& values = std::get<PublishData>(*data).values;
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()), floats);
  EXPECT_TRUE(std::get<PublishData>(*data).fixed.empty());

  const std::vector<std::int64_t> quanta{1, -2, std::numeric_limits<std::int64_t>::min()};
  const auto fixed =
      through(link, PublishData{.topic = TopicHandle{1}, .number = 9, .first = 5, .fixed = quanta});
  ASSERT_TRUE(fixed);
  const auto& got = std::get<PublishData>(*fixed).fixed;
  EXPECT_EQ(std::vector<std::int64_t>(got.begin(), got.end()), quanta);
}

TEST(Records, CarryTwoTilesOfFloatsOrOneOfQuanta) {
  MemoryLink link({.to_gateway_bytes = 4 << 20});
  const std::vector<float> floats(65'536, 1.0F);
  EXPECT_TRUE(through(link, PublishData{.topic = TopicHandle{0}, .number = 1, .values = floats}));
  const std::vector<std::int64_t> quanta(32'768, 1);
  EXPECT_TRUE(through(link, PublishData{.topic = TopicHandle{0}, .number = 1, .fixed = quanta}));
}

TEST(Records, TheSmallOnesOfAClientArriveAsTheyWereSent) {
  MemoryLink link;
  const auto hello = through(link,
                             Hello{.client_name = "trainer-0",
                                   .publisher = PublisherId(5),
                                   .incarnation = {1, 2},
                                   .version_min = 1,
                                   .version_max = 3});
  ASSERT_TRUE(hello);
  EXPECT_EQ(std::get<Hello>(*hello).client_name, "trainer-0");
  EXPECT_EQ(std::get<Hello>(*hello).publisher, PublisherId(5));
  EXPECT_EQ(std::get<Hello>(*hello).incarnation, (Incarnation{1, 2}));
  EXPECT_EQ(std::get<Hello>(*hello).version_max, 3U);

  const auto commit = through(link, PublishCommit{TopicHandle{2}, 8});
  EXPECT_EQ(std::get<PublishCommit>(*commit).number, 8U);
  const auto receipt = through(link, Receipt{TopicHandle{2}, 63, 1234});
  EXPECT_EQ(std::get<Receipt>(*receipt).lane, 63);
  EXPECT_EQ(std::get<Receipt>(*receipt).frontier, 1234U);
  const auto tick = through(link, Tick{TopicHandle{2}, 17});
  EXPECT_EQ(std::get<Tick>(*tick).clock, 17U);
  const auto wait = through(link, WaitClock{TopicHandle{2}, 4, 13, Duration::seconds(20)});
  EXPECT_EQ(std::get<WaitClock>(*wait).min_clock, 13U);
  EXPECT_EQ(std::get<WaitClock>(*wait).deadline, Duration::seconds(20));
  EXPECT_TRUE(through(link, WatchCoverage{TopicHandle{2}}));
  EXPECT_TRUE(through(link, Goodbye{}));
  const std::vector<float> seed{1.0F, 2.0F};
  const auto chunk = through(link, SeedChunk{TopicHandle{2}, 100, seed});
  EXPECT_EQ(std::get<SeedChunk>(*chunk).first, 100U);
  EXPECT_EQ(std::get<SeedChunk>(*chunk).values[1], 2.0F);

  const Subscribe wanted{.topic = TopicHandle{2},
                         .subscriber = SubscriberId(3),
                         .incarnation = {9, 9},
                         .from = {1, 1},
                         .resume = {{0, 5}, {7, 6}}};
  const auto subscribe = through(link, wanted);
  ASSERT_TRUE(subscribe);
  EXPECT_EQ(std::get<Subscribe>(*subscribe).resume.size(), 2U);
  EXPECT_EQ(std::get<Subscribe>(*subscribe).resume[1].lane, 7);
  EXPECT_EQ(std::get<Subscribe>(*subscribe).resume[1].frontier, 6U);
  EXPECT_EQ(std::get<Subscribe>(*subscribe).from, (Incarnation{1, 1}));
}

TEST(Records, ThoseOfAGatewayArriveAsTheyWereSent) {
  MemoryLink link;
  const auto welcome = back(link,
                            Welcome{.version = 1,
                                    .gateway = {3, 4},
                                    .site = "fra",
                                    .sites = {"fra", "iad"},
                                    .workers = 4,
                                    .worker = 3});
  EXPECT_EQ(welcome.workers, 4U);
  EXPECT_EQ(welcome.worker, 3U);
  EXPECT_EQ(welcome.site, "fra");
  EXPECT_EQ(welcome.sites.size(), 2U);
  EXPECT_EQ(welcome.gateway, (Incarnation{3, 4}));
  const auto declared = back(link,
                             Declared{.handle = TopicHandle{1},
                                      .error = "no\nroom",
                                      .code = Code::kFull,
                                      .sites = {"fra", "iad"},
                                      .incarnation = {2, 8},
                                      .publisher_before = {9, 9},
                                      .publishers_forgotten = 4});
  EXPECT_EQ(declared.publishers_forgotten, 4U);
  EXPECT_EQ(declared.publisher_before, (Incarnation{9, 9}));
  EXPECT_EQ(declared.incarnation, (Incarnation{2, 8}));
  EXPECT_EQ(declared.code, Code::kFull);
  EXPECT_EQ(declared.sites, (std::vector<std::string>{"fra", "iad"}));
  EXPECT_EQ(declared.error, "no?room") << "what is not printable is replaced";
  EXPECT_EQ(back(link, Safe{TopicHandle{1}, 5, 500}).accepted, 500U);
  const auto refused = back(link,
                            Refused{.topic = TopicHandle{1},
                                    .number = 5,
                                    .code = Code::kInvalid,
                                    .element = 17,
                                    .text = "nan"});
  EXPECT_EQ(refused.element, 17U);
  EXPECT_EQ(refused.text, "nan");
  EXPECT_EQ(back(link, Refused{.topic = TopicHandle{1}, .number = 5}).element, kNoElement);
  EXPECT_EQ(back(link, Duplicate{TopicHandle{1}, 6}).number, 6U);
  const auto covered = back(link, Covered{TopicHandle{1}, SiteId::of("iad"), 44});
  EXPECT_EQ(covered.site, SiteId::of("iad"));
  EXPECT_EQ(covered.accepted, 44U);
  EXPECT_TRUE(back(link, Subscribed{TopicHandle{1}, {3, 4}, true}).resumed);
  const auto unsubscribed =
      back(link, Subscribed{.topic = TopicHandle{1}, .code = Code::kFull, .error = "no\nroom"});
  EXPECT_EQ(unsubscribed.code, Code::kFull);
  EXPECT_EQ(unsubscribed.error, "no?room");
  EXPECT_EQ(back(link, ClockReached{9, {"sin"}}).missing, std::vector<std::string>{"sin"});
  const auto error = back(link, ErrorRecord{Code::kUnsupported, std::string(5000, 'x')});
  EXPECT_EQ(error.text.size(), kTextBytesMax);
}

TEST(Records, AWelcomeOfAWorkerThatCannotBeIsRefused) {
  const auto refuses = [](std::uint32_t workers, std::uint32_t worker) {
    MemoryLink link;
    EXPECT_TRUE(
        send(link.gateway_end(), Welcome{.site = "fra", .workers = workers, .worker = worker}));
    return !decode_gateway_record(*link.client_end().receive());
  };
  EXPECT_FALSE(refuses(0, 0)) << "a gateway that knows no shards";
  EXPECT_FALSE(refuses(64, 63));
  EXPECT_TRUE(refuses(0, 1));
  EXPECT_TRUE(refuses(4, 4));
  EXPECT_TRUE(refuses(3, 0));
  EXPECT_TRUE(refuses(128, 0));
}

TEST(Records, OnesOfTheWrongDirectionOrUnknownTypeAreRefused) {
  MemoryLink link;
  ASSERT_TRUE(send(link.gateway_end(), Duplicate{TopicHandle{1}, 6}));
  const auto view = link.client_end().receive();
  EXPECT_EQ(decode_client_record(*view).error().code, Code::kUnsupported);
  EXPECT_EQ(decode_gateway_record({999, 0, {}}).error().code, Code::kUnsupported);
}

TEST(Records, EveryCutAndEveryLongerBodyOfABinaryRecordIsRefused) {
  MemoryLink link;
  const std::vector<float> values{1.0F, 2.0F};
  ASSERT_TRUE(
      send(link.client_end(), PublishBegin{.topic = TopicHandle{1}, .number = 1, .count = 2}));
  ASSERT_TRUE(
      send(link.client_end(), PublishData{.topic = TopicHandle{1}, .number = 1, .values = values}));
  ASSERT_TRUE(send(link.client_end(), PublishCommit{TopicHandle{1}, 1}));
  ASSERT_TRUE(send(link.client_end(), Tick{TopicHandle{1}, 1}));
  ASSERT_TRUE(send(link.client_end(), Receipt{TopicHandle{1}, 1, 1}));
  while (const auto record = link.gateway_end().receive()) {
    std::vector<std::byte> body(record->body.begin(), record->body.end());
    body.resize(body.size() + 8);
    for (std::size_t size = 0; size <= body.size(); ++size) {
      const AlignedBytes bytes{std::span<const std::byte>(body).first(size)};
      EXPECT_EQ(decode_client_record({record->type, record->flags, bytes.view}).has_value(),
                size == record->body.size())
          << "type " << record->type << " size " << size;
    }
  }
}

TEST(Records, ImpossibleRangesOfAPublishAreRefused) {
  MemoryLink link;
  const auto refuses = [&](const auto& record) { return !through(link, record); };
  EXPECT_TRUE(refuses(PublishBegin{.topic = TopicHandle{1}, .number = 0, .count = 1}));
  EXPECT_TRUE(refuses(PublishBegin{.topic = TopicHandle{1}, .number = 1, .count = 0}));
  EXPECT_TRUE(refuses(
      PublishBegin{.topic = TopicHandle{1}, .number = 1, .first = kElementsMax, .count = 1}));
  EXPECT_TRUE(refuses(
      PublishBegin{.topic = TopicHandle{1}, .number = 1, .first = 1, .count = ~std::uint64_t{0}}));
  EXPECT_TRUE(refuses(PublishBegin{.topic = TopicHandle{4096}, .number = 1, .count = 1}));
  EXPECT_TRUE(refuses(Receipt{TopicHandle{1}, 64, 1}));
}

// ---- transfers --------------------------------------------------------------------------------

TEST(Transfers, StoreEachSectionAtTheSmallestWidthAndGiveTheValuesBack) {
  const std::vector<std::vector<std::int64_t>> inputs{
      {0, 127, -128},
      {128, -1},
      {32'767, -32'768},
      {32'768},
      {2'147'483'647, -2'147'483'648LL},
      {2'147'483'648LL},
      {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}};
  const std::vector<int> widths{1, 2, 2, 4, 4, 8, 8};
  std::vector<std::uint64_t> words(512);
  TransferWriter writer(std::as_writable_bytes(std::span(words)), TopicHandle{2}, 5, 77);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(writer.add(1000 * i, inputs[i]));
  }
  MemoryLink link;
  ASSERT_TRUE(send_transfer(link.gateway_end(), writer.finish()));
  const auto decoded = decode_gateway_record(*link.client_end().receive());
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& transfer = std::get<Transfer>(*decoded);
  EXPECT_EQ(transfer.k, 77U);
  EXPECT_EQ(transfer.lane, 5);
  SectionReader reader(transfer);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto section = reader.next();
    ASSERT_TRUE(section);
    EXPECT_EQ(section->first, 1000 * i);
    EXPECT_EQ(section->width, widths[i]) << "section " << i;
    std::vector<std::int64_t> values(section->count);
    widen(*section, values);
    EXPECT_EQ(values, inputs[i]);
  }
  EXPECT_FALSE(reader.next());
}

TEST(Transfers, AWholeTileOfInt64FitsOneRecordAndOneValueMoreDoesNot) {
  std::vector<std::uint64_t> words(kBodyBytesMax / 8);
  const std::vector<std::int64_t> tile(32'768, std::numeric_limits<std::int64_t>::max());
  TransferWriter writer(std::as_writable_bytes(std::span(words)), TopicHandle{0}, 0, 1);
  EXPECT_TRUE(writer.add(0, tile));
  EXPECT_FALSE(writer.add(32'768, tile));
  EXPECT_EQ(writer.section_count(), 1);
  MemoryLink link({.to_client_bytes = 2 << 20});
  EXPECT_TRUE(send_transfer(link.gateway_end(), writer.finish()));
}

TEST(Transfers, MayBeReaddressedToAnotherHandle) {
  std::vector<std::uint64_t> words(64);
  TransferWriter writer(std::as_writable_bytes(std::span(words)), TopicHandle{2}, 5, 77);
  ASSERT_TRUE(writer.add(3, std::vector<std::int64_t>{1, 2, 3}));
  const std::size_t size = writer.finish().size();
  const auto body = std::as_writable_bytes(std::span(words)).first(size);
  readdress_transfer(body, TopicHandle{9});
  const auto decoded = decode_gateway_record(as_record(RecordType::kTransfer, AlignedBytes(body)));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& transfer = std::get<Transfer>(*decoded);
  EXPECT_EQ(transfer.topic, TopicHandle{9});
  EXPECT_EQ(transfer.lane, 5);
  EXPECT_EQ(transfer.k, 77U);
  EXPECT_EQ(transfer.section_count, 1);
}

TEST(Transfers, EveryCutIsRefused) {
  std::vector<std::uint64_t> words(64);
  TransferWriter writer(std::as_writable_bytes(std::span(words)), TopicHandle{2}, 5, 77);
  ASSERT_TRUE(writer.add(3, std::vector<std::int64_t>{1, 2, 3}));
  ASSERT_TRUE(writer.add(9, std::vector<std::int64_t>{1'000'000}));
  const auto body = writer.finish();
  for (std::size_t size = 0; size <= body.size(); ++size) {
    const AlignedBytes bytes(body.first(size));
    EXPECT_EQ(decode_gateway_record(as_record(RecordType::kTransfer, bytes)).has_value(),
              size == body.size())
        << size;
  }
}

// The bytes that SPEC.md's worked example prints; they stay for ever.
TEST(Transfers, TheWorkedExampleOfTheSpecificationHolds) {
  std::vector<std::uint64_t> words(16);
  TransferWriter writer(std::as_writable_bytes(std::span(words)), TopicHandle{1}, 0, 7);
  ASSERT_TRUE(writer.add(4096, std::vector<std::int64_t>{1, -1, 300}));
  const auto body = writer.finish();
  EXPECT_EQ(to_hex(body),
            to_hex(from_hex("01000000 0000 0100 0700000000000000 0000000000000000"
                            "0010000000000000 03000000 02 000000 0100 ffff 2c01 0000")));
}

TEST(Records, TheWorkedExampleOfAPublishHolds) {
  MemoryLink link;
  const std::vector<float> values{1.0F, -2.0F};
  ASSERT_TRUE(send(link.client_end(),
                   PublishBegin{.topic = TopicHandle{1}, .number = 2, .first = 4096, .count = 2}));
  ASSERT_TRUE(
      send(link.client_end(),
           PublishData{.topic = TopicHandle{1}, .number = 2, .first = 4096, .values = values}));
  ASSERT_TRUE(send(link.client_end(), PublishCommit{TopicHandle{1}, 2}));
  const auto ring = link.to_gateway_memory().bytes;
  EXPECT_EQ(to_hex(ring.first(120)),
            to_hex(from_hex("30000000 0400 0000"
                            "01000000 00000000 0200000000000000 0000000000000000"
                            "0010000000000000 0200000000000000 0000000000000000"
                            "20000000 0500 0000"
                            "01000000 02000000 0200000000000000 0010000000000000 0000803f 000000c0"
                            "10000000 0600 0000"
                            "01000000 00000000 0200000000000000")));
}

}  // namespace
}  // namespace godwit::local
